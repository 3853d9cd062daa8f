// Package registry holds the payment gateways that are on, by name. What a
// method of payment begins with is the name of its gateway, and a payment
// remembers that name: who captures, voids or refunds asks for the gateway by
// it. It must not know how any gateway is reached.
package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/gateways/payment"
)

// ErrUnknown says that no gateway with that name is on.
var ErrUnknown = errors.New("no payment gateway with this name is on")

// Registry is the gateways that are on. It does not change, so it may be used
// by many goroutines.
type Registry struct{ providers map[string]payment.Provider }

// New returns a registry of gateways by name.
func New(providers map[string]payment.Provider) *Registry {
	return &Registry{providers: maps.Clone(providers)}
}

// Provider returns the gateway with a name, or ErrUnknown.
func (r *Registry) Provider(name string) (payment.Provider, error) {
	if p, on := r.providers[name]; on {
		return p, nil
	}
	return nil, fmt.Errorf("%w: %q; on are: %s", ErrUnknown, name, strings.Join(r.Names(), ", "))
}

// Names lists the gateways that are on, sorted.
func (r *Registry) Names() []string { return slices.Sorted(maps.Keys(r.providers)) }

// Of returns the name of the gateway that takes a method: what stands before
// the first colon.
func Of(method string) string {
	name, _, _ := strings.Cut(method, ":")
	return name
}
