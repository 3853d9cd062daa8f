package credentials_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/credentials"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func mistakesOf(c credentials.Credentials) []string {
	var got []string
	for _, mistake := range c.Check(address.Policy{}, noon) {
		got = append(got, mistake.Pointer+" "+mistake.Code)
	}
	return got
}

// Every name of the list in docs/security-webhooks.md, in a form or two.
func TestHeadersThatAreNotForPartnersToSet(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Host", "host", "Connection", "Keep-Alive", "Content-Type", "content-length", "Content-Encoding", "Transfer-Encoding", "TE",
		"Trailer", "Upgrade", "Expect", "User-Agent", "Accept-Encoding", "Cookie", "Forwarded", "Via", "X-Forwarded-For",
		"x-forwarded-host", "X-Forwarded-Whatever", "traceparent", "Tracestate", "BAGGAGE", "webhook-id", "Webhook-Signature",
		"webhook-timestamp", "Webhook-Anything", "X-Amz-Date", "x-aws-ec2-metadata-token", "X-Aws-Anything", "X-Goog-User-Project",
		"Metadata", "Metadata-Flavour", "X-Ms-Version", "X-Azure-Ref", "Proxy-Authorization", "HTTP2-Settings",
	} {
		c := credentials.Credentials{Headers: map[string]string{name: "v"}}
		if diff := cmp.Diff([]string{"/headers/" + name + " " + credentials.CodeHeaderReserved}, mistakesOf(c)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, name := range []string{"Authorization", "X-Api-Key", "X-Contents", "Hosts", "Tenant", "X-Webhook-Id", "X_y", "Accept"} {
		if got := mistakesOf(credentials.Credentials{Headers: map[string]string{name: "v"}}); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestHeadersCannotBeInjected(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", " ", "X-A\r\nX-B", "X-A\n", "X A", "X-A:", "X-Ä", "X\x00", "X-A\t", "(x)", "x/y", strings.Repeat("x", 129)} {
		got := mistakesOf(credentials.Credentials{Headers: map[string]string{name: "v"}})
		if len(got) != 1 || !strings.HasSuffix(got[0], credentials.CodeHeaderName) {
			t.Errorf("name %q: %v", name, got)
		}
	}
	for _, value := range []string{"a\r\nX-B: c", "a\rb", "a\nb", "a\x00b", "a\tb", "a\x7fb", "ü", "\x1b[31m"} {
		got := mistakesOf(credentials.Credentials{Headers: map[string]string{"X-A": value}})
		if diff := cmp.Diff([]string{"/headers/X-A " + credentials.CodeHeaderValue}, got); diff != "" {
			t.Errorf("value %q (-want +got):\n%s", value, diff)
		}
	}
}

func TestEveryMistakeIsNamed(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range 21 {
		many[fmt.Sprint("X-", i)] = "v"
	}
	certificate, key := pair(t, "ended", noon.Add(-time.Hour))
	for name, row := range map[string]struct {
		c    credentials.Credentials
		want []string
	}{
		"nothing":           {},
		"too many headers":  {credentials.Credentials{Headers: many}, []string{"/headers too-many-headers"}},
		"a value too long":  {credentials.Credentials{Headers: map[string]string{"X-A": strings.Repeat("x", 4097)}}, []string{"/headers/X-A value-too-long"}},
		"the longest value": {credentials.Credentials{Headers: map[string]string{"X-A": strings.Repeat("x", 4096)}}, nil},
		"one name twice":    {credentials.Credentials{Headers: map[string]string{"X-A": "1", "x-a": "2"}}, []string{"/headers/x-a header-repeated"}},
		"two kinds of authority": {
			credentials.Credentials{
				Headers: map[string]string{"authorization": "x"}, Basic: &credentials.Basic{Username: "u", Password: "p"},
				OAuth2: &credentials.OAuth2{TokenURL: "https://login.example/t", ClientID: "i", ClientSecret: "s"},
			},
			[]string{"/headers/authorization authorization-repeated", "/oauth2 authorization-repeated"},
		},
		"basic": {
			credentials.Credentials{Basic: &credentials.Basic{Username: "a:b", Password: ""}},
			[]string{"/basic/password value-missing", "/basic/username value-malformed"},
		},
		"oauth2": {
			credentials.Credentials{OAuth2: &credentials.OAuth2{TokenURL: "http://127.0.0.1/", ClientID: "i\n", Scopes: []string{"a b"}, Audience: "\x00"}},
			[]string{
				"/oauth2/token_url url-scheme-not-allowed", "/oauth2/token_url url-address-not-allowed", "/oauth2/client_id value-malformed",
				"/oauth2/client_secret value-missing", "/oauth2/scopes/0 value-malformed", "/oauth2/audience value-malformed",
			},
		},
		"an empty tls":         {credentials.Credentials{TLS: &credentials.TLS{}}, []string{"/tls value-missing"}},
		"a key alone":          {credentials.Credentials{TLS: &credentials.TLS{Key: key}}, []string{"/tls value-missing"}},
		"no PEM":               {credentials.Credentials{TLS: &credentials.TLS{Certificate: "x", Key: "y", Authorities: "z"}}, []string{"/tls/certificate certificate-malformed", "/tls/authorities certificate-malformed"}},
		"an ended certificate": {credentials.Credentials{TLS: &credentials.TLS{Certificate: certificate, Key: key, Authorities: certificate}}, []string{"/tls/certificate certificate-expired"}},
		"a key for an authority": {
			credentials.Credentials{TLS: &credentials.TLS{Authorities: key}},
			[]string{"/tls/authorities certificate-malformed"},
		},
		"far too much": {
			credentials.Credentials{TLS: &credentials.TLS{Authorities: strings.Repeat(certificate, 200)}},
			[]string{"/tls/authorities value-too-long"},
		},
	} {
		if diff := cmp.Diff(row.want, mistakesOf(row.c)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("X-A", "v")
	f.Add("X-A\r\nHost", "a\nb")
	f.Fuzz(func(t *testing.T, name, value string) {
		c := credentials.Credentials{Headers: map[string]string{name: value}}
		if len(mistakesOf(c)) > 0 {
			return
		}
		for _, text := range []string{name, value} {
			if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%q: %q was accepted", name, value)
			}
		}
		encoded, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := credentials.Decode(encoded)
		if err != nil || !maps.Equal(back.Headers, c.Headers) || !slices.Equal(slices.Collect(maps.Keys(back.Headers)), []string{name}) {
			t.Errorf("came back as another one: %v", err)
		}
	})
}
