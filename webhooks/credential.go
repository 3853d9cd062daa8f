package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/webhooks/credentials"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// CheckCredentials reports everything that is wrong with credentials. Its
// pointers are those within them.
func (s *Endpoints) CheckCredentials(c credentials.Credentials) []domain.Mistake {
	return c.Check(s.Policy, s.Now())
}

// WithCredentials puts credentials into the settings of an endpoint, sealed;
// empty ones are taken out. They must have been checked.
func (s *Endpoints) WithCredentials(settings endpoint.Settings, tenantID, endpointID string, c credentials.Credentials) (endpoint.Settings, error) {
	settings.HeaderNames, settings.SealedHeaders, settings.Auth, settings.SealedAuth, settings.Credentials = nil, nil, "", nil, nil
	if c.Empty() {
		return settings, nil
	}
	encoded, err := c.Encode()
	if err != nil {
		return settings, fmt.Errorf("seal credentials of endpoint %s: %w", endpointID, err)
	}
	shown := c.Summary()
	settings.HeaderNames, settings.Auth = shown.Headers, authOf(c)
	settings.Credentials = &endpoint.ShownCredentials{
		Basic: shown.Basic, TokenURL: shown.TokenURL, ClientID: shown.ClientID,
		Certificate: shown.Certificate, NotAfter: shown.NotAfter, Authorities: shown.Authorities, Signature: shown.Signature, Mark: s.mark(encoded),
	}
	return settings, sealCredentials(s.Sealer, &settings, tenantID, endpointID, c)
}

// mark follows from the credentials, for who knows the key only.
func (s *Endpoints) mark(encoded []byte) string {
	mac := hmac.New(sha256.New, s.MarkKey)
	mac.Write(encoded)
	return hex.EncodeToString(mac.Sum(nil)[:12])
}

func authOf(c credentials.Credentials) string {
	var kinds []string
	if c.Basic != nil {
		kinds = append(kinds, endpoint.AuthBasic)
	}
	if c.OAuth2 != nil {
		kinds = append(kinds, endpoint.AuthOAuth2)
	}
	if c.TLS != nil && c.TLS.Certificate != "" {
		kinds = append(kinds, endpoint.AuthMTLS)
	}
	return strings.Join(kinds, "+")
}

// sealCredentials seals headers and the rest apart, each bound to what it is.
func sealCredentials(s Sealer, settings *endpoint.Settings, tenantID, endpointID string, c credentials.Credentials) (err error) {
	headers, rest := credentials.Credentials{Headers: c.Headers}, c
	rest.Headers = nil
	settings.SealedHeaders, err = sealPart(s, bound(tenantID, endpointID, "headers "+settings.Credentials.Mark), headers)
	if err == nil {
		settings.SealedAuth, err = sealPart(s, bound(tenantID, endpointID, "auth "+settings.Credentials.Mark), rest)
	}
	if err != nil {
		return fmt.Errorf("seal credentials of endpoint %s: %w", endpointID, err)
	}
	return nil
}

func sealPart(s Sealer, to []byte, part credentials.Credentials) ([]byte, error) {
	if part.Empty() {
		return nil, nil
	}
	encoded, err := part.Encode()
	if err != nil {
		return nil, err
	}
	return s.Seal(encoded, to)
}

// openCredentials is the reverse of sealCredentials.
func openCredentials(s Sealer, settings endpoint.Settings, tenantID, endpointID string) (c credentials.Credentials, err error) {
	if settings.Credentials == nil {
		return c, nil
	}
	headers, err := openPart(s, bound(tenantID, endpointID, "headers "+settings.Credentials.Mark), settings.SealedHeaders)
	if err == nil {
		c, err = openPart(s, bound(tenantID, endpointID, "auth "+settings.Credentials.Mark), settings.SealedAuth)
	}
	if err != nil {
		return c, fmt.Errorf("open credentials of endpoint %s: %w", endpointID, err)
	}
	c.Headers = headers.Headers
	return c, nil
}

func openPart(s Sealer, to, sealed []byte) (credentials.Credentials, error) {
	if len(sealed) == 0 {
		return credentials.Credentials{}, nil
	}
	encoded, err := s.Open(sealed, to)
	if err != nil {
		return credentials.Credentials{}, err
	}
	return credentials.Decode(encoded)
}
