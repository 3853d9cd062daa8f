// Package credentials is how we prove to a partner's endpoint who we are:
// headers of the partner's choice, basic authentication, OAuth 2.0 client
// credentials, a client certificate, and the authorities that the endpoint's own
// certificate may come from. It promises that nothing of it is ever printed or
// shown again, and that tokens are fetched through the same guarded client as
// messages are sent. It must not know what is sent.
package credentials

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// Credentials are what one endpoint wants to see. However they are printed,
// logged or marshalled, they show nothing; Encode is the only way to read them.
type Credentials struct {
	Headers map[string]string `json:"headers,omitempty" doc:"Sent with every message, at most 20. Names that carry our own meaning or that of a proxy are refused."`
	Basic   *Basic            `json:"basic,omitempty" doc:"Basic authentication."`
	OAuth2  *OAuth2           `json:"oauth2,omitempty" doc:"OAuth 2.0 client credentials: a token is fetched, kept while it is valid, and sent as Authorization: Bearer."`
	TLS     *TLS              `json:"tls,omitempty" doc:"Client certificate and further certificate authorities."`
	// Signature is one of another system.
	Signature *Signature `json:"signature,omitempty" doc:"A signature beside ours that the receiver knows from another system, for the time of a move."`
}

// Basic is basic authentication (RFC 7617).
type Basic struct {
	Username string `json:"username" doc:"Without a colon."`
	Password string `json:"password" doc:"Never shown again."`
}

// OAuth2 is the grant of client credentials (RFC 6749, 4.4).
type OAuth2 struct {
	TokenURL     string   `json:"token_url" doc:"Where tokens are fetched; the same rules as for an endpoint's URL." example:"https://login.partner.example/oauth/token"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret" doc:"Never shown again."`
	Scopes       []string `json:"scopes,omitempty"`
	Audience     string   `json:"audience,omitempty" doc:"Sent as parameter audience, which some servers want."`
}

// TLS are certificates, in PEM.
type TLS struct {
	Certificate string `json:"certificate,omitempty" doc:"Ours towards the endpoint (mTLS), with its chain, in PEM."`
	Key         string `json:"key,omitempty" doc:"The certificate's private key in PEM; never shown again."`
	Authorities string `json:"authorities,omitempty" doc:"Certificate authorities that the endpoint's certificate may come from, besides the public ones, in PEM."`
}

// Empty says that there is nothing.
func (c Credentials) Empty() bool {
	return len(c.Headers) == 0 && c.Basic == nil && c.OAuth2 == nil && c.TLS == nil && c.Signature == nil
}

// Summary is what may be shown of credentials, and stored openly.
type Summary struct {
	Headers     []string   `json:"headers,omitempty" doc:"Names of the headers; their values are never shown."`
	Basic       string     `json:"basic,omitempty" doc:"User name of basic authentication."`
	TokenURL    string     `json:"token_url,omitempty" doc:"Where tokens are fetched."`
	ClientID    string     `json:"client_id,omitempty" doc:"Of the tokens."`
	Certificate string     `json:"certificate,omitempty" doc:"Subject of our certificate."`
	NotAfter    *time.Time `json:"certificate_not_after,omitempty" doc:"When our certificate ends."`
	Authorities []string   `json:"authorities,omitempty" doc:"Subjects of the certificate authorities."`
	Signature   string     `json:"signature,omitempty" doc:"Name of the header with the signature of another system."`
}

// Summary returns what may be shown.
func (c Credentials) Summary() Summary {
	s := Summary{Headers: slices.Sorted(maps.Keys(c.Headers))}
	if c.Basic != nil {
		s.Basic = c.Basic.Username
	}
	if c.OAuth2 != nil {
		s.TokenURL, s.ClientID = c.OAuth2.TokenURL, c.OAuth2.ClientID
	}
	if c.TLS != nil {
		s.addTLS(*c.TLS)
	}
	if c.Signature != nil {
		s.Signature = c.Signature.Header
	}
	return s
}

func (s *Summary) addTLS(t TLS) {
	if chain, err := certificates(t.Certificate); err == nil && len(chain) > 0 {
		s.Certificate, s.NotAfter = chain[0].Subject.String(), &chain[0].NotAfter
	}
	authorities, _ := certificates(t.Authorities) // what cannot be read is not shown
	for _, authority := range authorities {
		s.Authorities = append(s.Authorities, authority.Subject.String())
	}
}

// plain has the fields and none of the methods.
type plain Credentials

// Encode returns the credentials to be sealed.
func (c Credentials) Encode() ([]byte, error) { return json.Marshal(plain(c)) }

// Decode reads what Encode wrote.
func Decode(encoded []byte) (Credentials, error) {
	var c Credentials
	if err := json.Unmarshal(encoded, (*plain)(&c)); err != nil {
		return Credentials{}, fmt.Errorf("read credentials: %w", err)
	}
	return c, nil
}

// String implements fmt.Stringer.
func (Credentials) String() string { return "credentials(***)" }

// GoString implements fmt.GoStringer.
func (c Credentials) GoString() string { return c.String() }

// LogValue implements slog.LogValuer.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON implements json.Marshaler with the summary.
func (c Credentials) MarshalJSON() ([]byte, error) { return json.Marshal(c.Summary()) }
