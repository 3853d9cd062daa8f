package endpoint

import "time"

// ShownCredentials is what may be shown of how the sender proves itself beyond
// the signature: nothing of it is secret. HeaderNames and Auth of the settings
// say the rest.
type ShownCredentials struct {
	Basic       string     `json:"basic,omitempty"`       // user name
	TokenURL    string     `json:"token_url,omitempty"`   // of OAuth 2.0
	ClientID    string     `json:"client_id,omitempty"`   // of OAuth 2.0
	Certificate string     `json:"certificate,omitempty"` // subject of ours
	NotAfter    *time.Time `json:"certificate_not_after,omitempty"`
	Authorities []string   `json:"authorities,omitempty"` // subjects
	Signature   string     `json:"signature,omitempty"`   // header of that of another system
	// Mark tells one set of credentials from another without telling anything
	// of them. It is part of what their sealing is bound to.
	Mark string `json:"mark,omitempty"`
}

// Kinds of authentication, as Auth of the settings names them. A certificate
// can stand beside each of the others: "basic+mtls".
const (
	AuthBasic  = "basic"
	AuthOAuth2 = "oauth2"
	AuthMTLS   = "mtls"
)
