package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/webhooks/address"
)

// What may be wrong with credentials, besides the URL of tokens.
const (
	CodeTooManyHeaders = "too-many-headers"
	CodeHeaderName     = "header-name-malformed"
	CodeHeaderReserved = "header-reserved"
	CodeHeaderRepeated = "header-repeated"
	CodeHeaderValue    = "header-value-malformed"
	CodeConflict       = "authorization-repeated"
	CodeMissing        = "value-missing"
	CodeMalformed      = "value-malformed"
	CodeTooLong        = "value-too-long"
	CodeCertificate    = "certificate-malformed"
	CodeExpired        = "certificate-expired"
)

const (
	mostHeaders  = 20
	longestValue = 4 << 10
	longestText  = 1 << 10
	longestPEM   = 64 << 10
)

// Check reports everything that is wrong. Its pointers are those within the
// credentials: "/headers/X-Key", "/oauth2/token_url".
func (c Credentials) Check(policy address.Policy, now time.Time) []domain.Mistake {
	var m mistakes
	c.checkHeaders(&m)
	if c.Basic != nil {
		c.Basic.check(&m)
	}
	if c.OAuth2 != nil {
		c.OAuth2.check(&m, policy)
	}
	if c.Basic != nil && c.OAuth2 != nil {
		m.add("/oauth2", CodeConflict, "choose basic or oauth2, one Authorization header is sent")
	}
	if c.TLS != nil {
		c.TLS.check(&m, now)
	}
	if c.Signature != nil {
		c.Signature.check(&m)
	}
	return m
}

type mistakes []domain.Mistake

func (m *mistakes) add(pointer, code, format string, args ...any) {
	*m = append(*m, domain.Mistake{Pointer: pointer, Code: code, Detail: fmt.Sprintf(format, args...)})
}

// text checks a value that must be there.
func (m *mistakes) text(pointer, value string) {
	switch {
	case value == "":
		m.add(pointer, CodeMissing, "a value is needed")
	case len(value) > longestText:
		m.add(pointer, CodeTooLong, "at most %d bytes", longestText)
	case strings.ContainsFunc(value, control):
		m.add(pointer, CodeMalformed, "no control characters")
	}
}

func (b Basic) check(m *mistakes) {
	m.text("/basic/username", b.Username)
	m.text("/basic/password", b.Password)
	if strings.Contains(b.Username, ":") {
		m.add("/basic/username", CodeMalformed, "a user name has no colon")
	}
}

func (o OAuth2) check(m *mistakes, policy address.Policy) {
	for _, mistake := range policy.CheckURL(o.TokenURL) {
		mistake.Pointer = "/oauth2/token_url"
		*m = append(*m, mistake)
	}
	m.text("/oauth2/client_id", o.ClientID)
	m.text("/oauth2/client_secret", o.ClientSecret)
	for i, scope := range o.Scopes {
		pointer := fmt.Sprintf("/oauth2/scopes/%d", i)
		if m.text(pointer, scope); strings.ContainsAny(scope, " \"\\") {
			m.add(pointer, CodeMalformed, "a scope is one word")
		}
	}
	if o.Audience != "" {
		m.text("/oauth2/audience", o.Audience)
	}
}

func (c Credentials) checkHeaders(m *mistakes) {
	if len(c.Headers) > mostHeaders {
		m.add("/headers", CodeTooManyHeaders, "at most %d headers", mostHeaders)
	}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		pointer := "/headers/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		lower := strings.ToLower(name)
		switch {
		case !token(name):
			m.add(pointer, CodeHeaderName, "a header's name has letters, digits and hyphens, at most %d", longestName)
		case reserved(lower):
			m.add(pointer, CodeHeaderReserved, "%s is not for you to set", name)
		case lower == "authorization" && (c.Basic != nil || c.OAuth2 != nil):
			m.add(pointer, CodeConflict, "leave it out: basic or oauth2 sets it")
		case seen[lower]:
			m.add(pointer, CodeHeaderRepeated, "%s is named twice", name)
		}
		seen[lower] = true
		checkValue(m, pointer, c.Headers[name])
	}
}

func checkValue(m *mistakes, pointer, value string) {
	switch {
	case len(value) > longestValue:
		m.add(pointer, CodeTooLong, "at most %d bytes", longestValue)
	case strings.ContainsFunc(value, notInValue):
		m.add(pointer, CodeHeaderValue, "a header's value has printable ASCII characters only")
	}
}

func (t TLS) check(m *mistakes, now time.Time) {
	if (t.Certificate == "") != (t.Key == "") {
		m.add("/tls", CodeMissing, "a certificate needs its key, and a key its certificate")
	}
	if t.Certificate == "" && t.Key == "" && t.Authorities == "" {
		m.add("/tls", CodeMissing, "give a certificate and its key, or authorities, or leave tls out")
	}
	for _, part := range []struct{ name, text string }{{"certificate", t.Certificate}, {"key", t.Key}, {"authorities", t.Authorities}} {
		if len(part.text) > longestPEM {
			m.add("/tls/"+part.name, CodeTooLong, "at most %d bytes", longestPEM)
			return
		}
	}
	if t.Certificate != "" && t.Key != "" {
		t.checkPair(m, now)
	}
	if t.Authorities != "" {
		if list, err := certificates(t.Authorities); err != nil || len(list) == 0 {
			m.add("/tls/authorities", CodeCertificate, "these are not certificates in PEM")
		}
	}
}

func (t TLS) checkPair(m *mistakes, now time.Time) {
	pair, err := tls.X509KeyPair([]byte(t.Certificate), []byte(t.Key))
	switch {
	case err != nil:
		m.add("/tls/certificate", CodeCertificate, "certificate and key are not a pair in PEM")
	case now.After(pair.Leaf.NotAfter):
		m.add("/tls/certificate", CodeExpired, "the certificate ended on %s", pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
}

var errNotPEM = errors.New("not certificates in PEM")

func certificates(text string) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	rest := []byte(strings.TrimSpace(text))
	for len(rest) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return nil, errNotPEM
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, certificate)
	}
	return list, nil
}
