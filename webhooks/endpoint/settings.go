package endpoint

import (
	"reflect"
	"slices"
	"time"
)

// Settings is what an endpoint's owner decides about it. The zero value of
// every field but the first two is the usual behaviour, and what was recorded
// before the field existed.
type Settings struct {
	URL         string   `json:"url"`
	EventTypes  []string `json:"event_types"` // public types, or "*" alone
	Description string   `json:"description,omitempty"`
	// Filter is an expression in CEL over a message; empty lets every one
	// through.
	Filter string `json:"filter,omitempty"`
	// OrderMode is one of the order modes of this package.
	OrderMode string `json:"order_mode,omitempty"`
	// OnExhausted is what follows when a message's attempts are used up.
	OnExhausted string `json:"on_exhausted,omitempty"`
	// MaxInFlight bounds the attempts under way, 1 to 64; 0 is the default.
	MaxInFlight int `json:"max_in_flight,omitempty"`
	// RatePerSecond bounds the attempts begun in a second; 0 is no bound.
	RatePerSecond int `json:"rate_per_second,omitempty"`
	// Waits stand between the attempts of one message, in seconds; none is the
	// usual schedule.
	Waits []int `json:"waits,omitempty"`
	// NoTrace leaves out the header traceparent.
	NoTrace bool `json:"no_trace,omitempty"`
	// PersonalData adds what the vault holds of a customer to messages.
	PersonalData bool `json:"personal_data,omitempty"`
	// HeaderNames are the owner's own headers in the order they are sent, and
	// SealedHeaders their values.
	HeaderNames   []string `json:"header_names,omitempty"`
	SealedHeaders []byte   `json:"sealed_headers,omitempty"`
	// Auth is how the sender proves itself beyond the signature: its kind, and
	// what it needs for it.
	Auth       string `json:"auth,omitempty"`
	SealedAuth []byte `json:"sealed_auth,omitempty"`
	// Credentials is what may be shown of both.
	Credentials *ShownCredentials `json:"credentials,omitempty"`
	// ContactRef is where the vault has the address of whoever is written to
	// when nothing can be delivered; empty is nobody.
	ContactRef string `json:"contact_ref,omitempty"`
	// Signatures are the schemes that sign; none is v1 alone.
	Signatures []string `json:"signatures,omitempty"`
}

// Order modes: what waits for a message that failed.
const (
	OrderByAggregate = ""         // those of the same aggregate
	OrderNone        = "none"     // nothing
	OrderByEndpoint  = "endpoint" // everything at this endpoint
)

// What follows when the attempts of a message are used up.
const (
	ExhaustedSkip  = ""      // those behind it go on; previous shows the gap
	ExhaustedBlock = "block" // those behind it wait until it is sent again
)

// Schedule returns the waits between attempts, nil for the usual ones.
func (s Settings) Schedule() []time.Duration {
	var waits []time.Duration
	for _, seconds := range s.Waits {
		waits = append(waits, time.Duration(seconds)*time.Second)
	}
	return waits
}

// Equal says whether two settings are the same. What was sealed twice differs
// each time; credentials with the same mark are the same.
func (s Settings) Equal(other Settings) bool {
	a, b := s.plain(), other.plain()
	if a.mark() != "" && a.mark() == b.mark() {
		a.SealedHeaders, a.SealedAuth = b.SealedHeaders, b.SealedAuth
	}
	return reflect.DeepEqual(a, b)
}

func (s Settings) mark() string {
	if s.Credentials == nil {
		return ""
	}
	return s.Credentials.Mark
}

// plain makes lists without members nil: JSON does not tell them apart.
func (s Settings) plain() Settings {
	s.EventTypes, s.Waits, s.HeaderNames = none(s.EventTypes), none(s.Waits), none(s.HeaderNames)
	s.SealedHeaders, s.SealedAuth, s.Signatures = none(s.SealedHeaders), none(s.SealedAuth), none(s.Signatures)
	return s
}

func none[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return slices.Clip(list)
}

// Secret is a signing secret, sealed. Its associated data are the stream's
// name and the version.
type Secret struct {
	Version   int       `json:"version"`
	Algorithm string    `json:"algorithm,omitempty"` // "" is HMAC-SHA256, of v1
	Sealed    []byte    `json:"sealed"`
	NotAfter  time.Time `json:"not_after,omitzero"` // zero while no other has followed it
}

// Live says whether a secret signs at a time.
func (s Secret) Live(now time.Time) bool { return s.NotAfter.IsZero() || now.Before(s.NotAfter) }

// LiveSecrets returns those that sign at a time, the newest first.
func LiveSecrets(secrets []Secret, now time.Time) []Secret {
	var live []Secret
	for _, secret := range slices.Backward(secrets) {
		if secret.Live(now) {
			live = append(live, secret)
		}
	}
	return live
}
