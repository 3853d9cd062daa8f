package address_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/webhooks/address"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	const public, private, never = "public", "private", "never"
	for text, kind := range map[string]string{
		"8.8.8.8": public, "1.1.1.1": public, "93.184.216.34": public, "168.63.129.17": public, "172.32.0.1": public,
		"2606:4700::1111": public, "2a00:1450:4001::1": public, "::ffff:8.8.8.8": public,

		"127.0.0.1": private, "127.255.255.254": private, "10.1.2.3": private, "172.16.0.1": private, "172.31.255.255": private,
		"192.168.1.1": private, "::1": private, "fd00:ec2::254": private, "fd20:ce::254": private,
		"::ffff:127.0.0.1": private, "::ffff:10.0.0.1": private,

		"0.0.0.0": never, "0.1.2.3": never, "100.64.0.1": never, "100.100.100.200": never, "169.254.169.254": never,
		"192.0.0.192": never, "192.0.2.1": never, "192.31.196.1": never, "192.52.193.1": never, "192.88.99.1": never,
		"192.175.48.1": never, "198.18.0.1": never, "198.19.255.255": never, "198.51.100.1": never, "203.0.113.1": never,
		"224.0.0.1": never, "239.255.255.255": never, "240.0.0.1": never, "255.255.255.255": never, "168.63.129.16": never,
		"::": never, "::127.0.0.1": never, "::ffff:169.254.169.254": never, "::ffff:0:127.0.0.1": never,
		"64:ff9b::7f00:1": never, "64:ff9b:1::1": never, "100::1": never, "2001::1": never, "2001:0:4136:e378::1": never,
		"2001:10::1": never, "2001:db8::1": never, "2002:7f00:1::": never, "3fff::1": never, "2620:4f:8000::1": never,
		"5f00::1": never, "fe80::1": never, "fe80::1%eth0": never, "fec0::1": never, "ff02::1": never, "4000::1": never,
	} {
		addr := netip.MustParseAddr(text)
		if err := (address.Policy{}).CheckAddr(addr); (err == nil) != (kind == public) || (err != nil && !errors.Is(err, address.ErrBlocked)) {
			t.Errorf("strict, %s: %v", text, err)
		}
		if err := (address.Policy{AllowPrivate: true}).CheckAddr(addr); (err == nil) != (kind != never) {
			t.Errorf("development, %s: %v", text, err)
		}
	}
	zoned := netip.MustParseAddr("::ffff:8.8.8.8").WithZone("eth0") // which goes when it becomes one of IPv4
	if err := (address.Policy{}).CheckAddr(zoned); !errors.Is(err, address.ErrBlocked) {
		t.Errorf("%s: %v", zoned, err)
	}
	if err := (address.Policy{}).CheckAddr(netip.Addr{}); !errors.Is(err, address.ErrBlocked) {
		t.Errorf("no address: %v", err)
	}
}

func TestOperatorsNetworksAreDeniedInEveryForm(t *testing.T) {
	t.Parallel()
	policy := address.Policy{AllowPrivate: true, Denied: []netip.Prefix{netip.MustParsePrefix("8.8.8.0/24"), netip.MustParsePrefix("10.0.0.0/8")}}
	for _, text := range []string{"8.8.8.8", "::ffff:8.8.8.8", "10.0.0.1"} {
		if err := policy.CheckAddr(netip.MustParseAddr(text)); !errors.Is(err, address.ErrBlocked) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		policy address.Policy
		port   uint16
		ok     bool
	}{
		{address.Policy{}, 443, true},
		{address.Policy{}, 80, false},
		{address.Policy{}, 22, false},
		{address.Policy{}, 0, false},
		{address.Policy{AllowedPorts: []uint16{8443}}, 8443, true},
		{address.Policy{AllowPrivate: true}, 8080, true},
		{address.Policy{AllowPrivate: true}, 0, false},
	} {
		if err := row.policy.CheckPort(row.port); (err == nil) != row.ok {
			t.Errorf("%+v port %d: %v", row.policy, row.port, err)
		}
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://example.com/hook":            "",
		"https://example.com:443/hook?x=1":    "",
		"https://EXAMPLE.com.":                "",
		"https://8.8.8.8/":                    "",
		"https://[2606:4700::1111]/":          "",
		"https://localhost/":                  "", // names are judged when they are dialled
		"":                                    address.CodeMalformed,
		"example.com":                         address.CodeMalformed,
		"https:example.com":                   address.CodeMalformed,
		"https://":                            address.CodeMalformed,
		"https:///path":                       address.CodeMalformed,
		"https://exa mple.com/":               address.CodeMalformed,
		"https://example.com/a\nb":            address.CodeMalformed,
		"https://example.com\\@evil.example/": address.CodeMalformed,
		"http://example.com/":                 address.CodeScheme,
		"ftp://example.com/":                  address.CodeScheme,
		"https://user:pw@example.com/":        address.CodeUserInfo,
		"https://@example.com/":               address.CodeUserInfo,
		"https://example.com/#x":              address.CodeFragment,
		"https://example.com/#":               address.CodeFragment,
		"https://example.com:8080/":           address.CodePort,
		"https://example.com:/":               address.CodePort,
		"https://example.com:70000/":          address.CodePort,
		"https://127.0.0.1/":                  address.CodeAddress,
		"https://[::1]/":                      address.CodeAddress,
		"https://[::ffff:127.0.0.1]/":         address.CodeAddress,
		"https://[fe80::1%25eth0]/":           address.CodeAddress,
		"https://169.254.169.254/latest":      address.CodeAddress,
		"https://127.1/":                      address.CodeHost,
		"https://127.0.1/":                    address.CodeHost,
		"https://2130706433/":                 address.CodeHost,
		"https://0x7f000001/":                 address.CodeHost,
		"https://0x7f.0.0.1/":                 address.CodeHost,
		"https://017700000001/":               address.CodeHost,
		"https://0177.0.0.1/":                 address.CodeHost,
		"https://127.0.0.1./":                 address.CodeHost,
		"https://127.0.0.0x1/":                address.CodeHost,
		"https://99999999999999999999999999/": address.CodeHost,
		"https://exa%6dple..com/":             address.CodeMalformed,
		"https://bücher.example/":             address.CodeHost,
		"https://１２７.0.0.1/":                  address.CodeHost,

		"https://" + strings.Repeat("long.", 51) + "example/": address.CodeHost, // 262 characters
		"https://" + strings.Repeat("a.", 123) + "example/":   "",               // 253 of them
		"https://" + strings.Repeat("l", 64) + ".example/":    address.CodeHost,
	} {
		mistakes := address.Policy{}.CheckURL(raw)
		switch {
		case want == "" && len(mistakes) > 0, want != "" && len(mistakes) == 0:
			t.Errorf("%q: %v, want %q", raw, mistakes, want)
		case want != "" && mistakes[0].Code != want:
			t.Errorf("%q: %v, want %q", raw, mistakes, want)
		}
	}
	all := address.Policy{}.CheckURL("http://u:p@127.0.0.1:22/#x")
	if len(all) != 5 {
		t.Errorf("all mistakes at once: %v", all)
	}
	if got := (address.Policy{AllowPrivate: true}).CheckURL("http://127.0.0.1:8080/hook"); got != nil {
		t.Errorf("development: %v", got)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{"https://example.com", "http://[::1]:80/#", "https://0x7f.1", "https://u@h:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		strict, development := address.Policy{}.CheckURL(raw), address.Policy{AllowPrivate: true}.CheckURL(raw)
		if len(strict) == 0 && len(development) > 0 {
			t.Fatalf("%q passes the strict policy only: %v", raw, development)
		}
	})
}
