package registry_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/registry"
)

type named struct {
	payment.Provider
	name string
}

func TestAGatewayIsFoundByItsName(t *testing.T) {
	t.Parallel()
	r := registry.New(map[string]payment.Provider{"stripe": named{name: "stripe"}, "sandbox": named{name: "sandbox"}})
	for method, want := range map[string]string{
		"sandbox:approved": "sandbox", "stripe:pm_card_visa": "stripe", "stripe:a:b": "stripe",
	} {
		p, err := r.Provider(registry.Of(method))
		if got, ok := p.(named); err != nil || !ok || got.name != want {
			t.Errorf("%s: %v, %v; want %s", method, p, err, want)
		}
	}
	for _, method := range []string{"", "card:magic", "Sandbox:approved", ":approved", "approved"} {
		if _, err := r.Provider(registry.Of(method)); !errors.Is(err, registry.ErrUnknown) {
			t.Errorf("%q: %v, want %v", method, err, registry.ErrUnknown)
		}
	}
	if got := r.Names(); !slices.Equal(got, []string{"sandbox", "stripe"}) {
		t.Errorf("on are %v", got)
	}
}
