package configs_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/configs"
)

func TestNetworks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"203.0.113.7": "203.0.113.7/32", "203.0.113.9/24": "203.0.113.0/24", "2001:db8::1": "2001:db8::1/128", "2001:db8::1/32": "2001:db8::/32",
		"": "", "example.com": "", "203.0.113.7/33": "", "fe80::1%eth0": "", "203.0.113.0-9": "", "::ffff:203.0.113.7": "", "::ffff:203.0.113.0/120": "",
	} {
		list, err := configs.Networks([]string{text})
		got := ""
		if err == nil {
			got = list[0].String()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
	}
}

func TestNetworkSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*configs.Webhooks){
		func(w *configs.Webhooks) { w.AllowedPorts = []uint16{22} },
		func(w *configs.Webhooks) { w.DeniedNetworks = []string{"x"} },
		func(w *configs.Webhooks) { w.EgressIPs = []string{"1.2.3.4/99"} },
	} {
		var without configs.Config
		before := fmt.Sprint(without.Validate())
		change(&without.Webhooks)
		if after := fmt.Sprint(without.Validate()); after == before {
			t.Errorf("%+v is accepted", without.Webhooks)
		}
	}
}
