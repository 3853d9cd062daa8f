//go:build !unix

package node

// lockShared has nothing to ask: the library's lock keeps others from opening
// the file at all.
func lockShared(uintptr) error { return nil }
