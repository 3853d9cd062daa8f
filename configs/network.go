package configs

import (
	"fmt"
	"net/netip"
)

// Networks reads addresses and networks. An address is a network of one.
func Networks(texts []string) ([]netip.Prefix, error) {
	list := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			var addr netip.Addr
			if addr, err = netip.ParseAddr(text); err == nil && addr.Zone() == "" {
				network = netip.PrefixFrom(addr, addr.BitLen())
			}
		}
		if err != nil || !network.IsValid() {
			return nil, fmt.Errorf("%q is neither an address nor a network; write 203.0.113.7 or 203.0.113.0/24", text)
		}
		if network.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is an IPv4 network in IPv6 form; write it as IPv4", text)
		}
		list = append(list, network.Masked())
	}
	return list, nil
}

func (w Webhooks) validateNetwork(bad complaint) {
	for name, texts := range map[string][]string{"webhooks-denied-networks": w.DeniedNetworks, "webhooks-egress-ips": w.EgressIPs} {
		if _, err := Networks(texts); err != nil {
			bad(name, "%s", err)
		}
	}
	for _, port := range w.AllowedPorts {
		if port < 1024 && port != 80 && port != 443 {
			bad("webhooks-allowed-ports", "%d belongs to another service; 80, 443, 8443 or one from 1024 on", port)
		}
	}
}
