// Package partnertest is a partner's server that goes wrong in every way that
// real ones do, for tests. Its faults are those of the network and of HTTP; it
// knows nothing of what it is sent.
package partnertest
