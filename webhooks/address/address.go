// Package address says where a webhook may go: which URLs have an acceptable
// form and which network addresses may be dialled. It only judges; names are
// never looked up here, because the address that counts is the one that is
// dialled.
package address

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// ErrBlocked says that an address or a port may not be dialled.
var ErrBlocked = errors.New("destination is not allowed")

// Policy is what an operator allows. The zero value is the strict one: https
// on port 443 of public addresses.
type Policy struct {
	// AllowPrivate permits loopback and private addresses, every port, and
	// plain http. For development only.
	AllowPrivate bool
	// AllowedPorts are permitted besides 443.
	AllowedPorts []uint16
	// Denied are networks never dialled, whatever else is allowed: one's own
	// ingress, for example.
	Denied []netip.Prefix
}

// CheckAddr refuses an address that is not public, wrapping [ErrBlocked].
func (p Policy) CheckAddr(addr netip.Addr) error {
	if !addr.IsValid() || addr.Zone() != "" {
		return fmt.Errorf("address with a zone or none: %w", ErrBlocked)
	}
	addr = addr.Unmap()
	for _, denied := range p.Denied {
		if denied.Contains(addr) {
			return fmt.Errorf("address of the operator: %w", ErrBlocked)
		}
	}
	if p.AllowPrivate && contains(developmentNetworks(), addr) {
		return nil
	}
	if !public(addr) {
		return fmt.Errorf("address is not public: %w", ErrBlocked)
	}
	return nil
}

// CheckPort refuses a port that is not allowed, wrapping [ErrBlocked].
func (p Policy) CheckPort(port uint16) error {
	if port != 0 && (p.AllowPrivate || port == 443 || slices.Contains(p.AllowedPorts, port)) {
		return nil
	}
	return fmt.Errorf("port %d: %w", port, ErrBlocked)
}

// public denies what is special in IPv4; of IPv6 it allows global unicast
// only, because whatever else exists or will exist there is not for us.
func public(addr netip.Addr) bool {
	if addr.Is4() {
		return !contains(specialIPv4(), addr)
	}
	return globalUnicast().Contains(addr) && !contains(specialIPv6(), addr)
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	for _, network := range networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}
