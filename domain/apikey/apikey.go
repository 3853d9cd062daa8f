// Package apikey decides about API keys: who may call and what a caller may do.
// All keys of a tenant are one aggregate, because there are few of them and
// every request needs them all. It promises that a revoked key never comes
// back. It knows hashes only: a secret is never in an event.
package apikey

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Scope is something a key may do.
type Scope string

// The scopes there are.
const (
	Admin          Scope = "admin" // everything
	CatalogWrite   Scope = "catalog:write"
	StockWrite     Scope = "stock:write"
	OrdersRead     Scope = "orders:read"
	OrdersWrite    Scope = "orders:write"
	OrdersImport   Scope = "orders:import"   // orders and credit notes that came about elsewhere
	PaymentsWrite  Scope = "payments:write"  // captures and refunds
	CustomersRead  Scope = "customers:read"  // what people wrote, who they are and where they live
	CustomersWrite Scope = "customers:write" // register, export and erase
	WebhooksRead   Scope = "webhooks:read"
	WebhooksWrite  Scope = "webhooks:write"
)

// Scopes lists every scope in the order documentation shows them.
func Scopes() []Scope {
	return []Scope{Admin, CatalogWrite, StockWrite, OrdersRead, OrdersWrite, OrdersImport, PaymentsWrite, CustomersRead, CustomersWrite, WebhooksRead, WebhooksWrite}
}

// maxName is the longest name of a key, in bytes.
const maxName = 200

// Rules a command about keys may be refused by.
var (
	ErrInvalid  = domain.Rule("api-key-invalid", "the API key cannot be issued as described")
	ErrIDReused = domain.Rule("id-reused", "the id was used for something else before")
	ErrNotFound = domain.Rule("api-key-not-found", "there is no such API key")

	ErrPartnerInvalid  = domain.Rule("partner-invalid", "the partner cannot be as described")
	ErrPartnerNotFound = domain.Rule("partner-not-found", "there is no such partner")
)

// Command is what may be asked of a tenant's keys: [Issue], [Revoke],
// [RegisterPartner], [ChangePartner].
//
//sumtype:decl
type Command interface{ command() }

// Issue adds a key.
type Issue struct {
	KeyID  string
	Name   string
	Scopes []Scope
	// PartnerID is whose key it is, "" the shop's own. A partner's key may do
	// what [PartnerScopes] lists, to what is the partner's.
	PartnerID string
	// Hash is the SHA-256 of the secret in lower case hexadecimal.
	Hash string
	At   time.Time
}

// Revoke ends a key for ever.
type Revoke struct {
	KeyID string
	At    time.Time
}

func (Issue) command()  {}
func (Revoke) command() {}

// Key is what is known of one key.
type Key struct {
	ID        string
	Name      string
	Scopes    []Scope
	PartnerID string // "" is the shop's own
	Hash      string
	IssuedAt  time.Time
	RevokedAt time.Time // zero while it is valid
}

// Valid reports whether the key has not been revoked.
func (k Key) Valid() bool { return k.RevokedAt.IsZero() }

// State is every key ever issued and every partner, by id.
type State struct {
	Keys     map[string]Key
	Partners map[string]Partner
}

// Decider decides about the keys of a tenant: stream apikeys-{tenant}.
var Decider = domain.Decider[State, Command, Event]{Category: "apikeys", Decide: decide, Evolve: evolve}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Issue:
		return issue(s, c)
	case Revoke:
		return revoke(s, c)
	case RegisterPartner:
		return registerPartner(s, c)
	case ChangePartner:
		return changePartner(s, c)
	}
	panic("apikey: a command outside the sealed set")
}

func issue(s State, c Issue) ([]Event, error) {
	if mistakes := append(mistakes(c), partnerMistakes(s, c)...); len(mistakes) > 0 {
		return nil, ErrInvalid.Because(mistakes...)
	}
	event := APIKeyIssued{KeyID: c.KeyID, Name: c.Name, Scopes: c.Scopes, PartnerID: c.PartnerID, Hash: c.Hash, IssuedAt: c.At}
	old, exists := s.Keys[c.KeyID]
	if !exists {
		return []Event{event}, nil
	}
	if old.Name == c.Name && old.Hash == c.Hash && old.PartnerID == c.PartnerID && slices.Equal(old.Scopes, c.Scopes) {
		return nil, nil // asked twice: the first time did it
	}
	return nil, ErrIDReused.With("key_id", c.KeyID)
}

func mistakes(c Issue) []domain.Mistake {
	var list []domain.Mistake
	name := strings.TrimSpace(c.Name)
	if name == "" || len(c.Name) > maxName {
		list = append(list, domain.Mistake{Pointer: "/name", Code: "invalid-name", Detail: "a name has 1 to 200 bytes"})
	}
	if len(c.Scopes) == 0 {
		list = append(list, domain.Mistake{Pointer: "/scopes", Code: "required", Detail: "a key without a scope could do nothing"})
	}
	for i, scope := range c.Scopes {
		pointer := "/scopes/" + strconv.Itoa(i)
		if !slices.Contains(Scopes(), scope) {
			list = append(list, domain.Mistake{Pointer: pointer, Code: "unknown-scope", Detail: "there is no such scope"})
		} else if slices.Contains(c.Scopes[:i], scope) {
			list = append(list, domain.Mistake{Pointer: pointer, Code: "duplicate", Detail: "the scope is listed twice"})
		}
	}
	return list
}

func revoke(s State, c Revoke) ([]Event, error) {
	key, exists := s.Keys[c.KeyID]
	if !exists {
		return nil, ErrNotFound.With("key_id", c.KeyID)
	}
	if !key.Valid() {
		return nil, nil // revoked before: the first time did it
	}
	return []Event{APIKeyRevoked(c)}, nil
}

// evolve copies the maps, so that whoever holds an older state may go on
// reading it: keys are issued rarely and read by every request.
func evolve(s State, e Event) State {
	next := State{Keys: map[string]Key{}, Partners: map[string]Partner{}}
	maps.Copy(next.Keys, s.Keys)
	maps.Copy(next.Partners, s.Partners)
	switch e := e.(type) {
	case APIKeyIssued:
		next.Keys[e.KeyID] = Key{ID: e.KeyID, Name: e.Name, Scopes: e.Scopes, PartnerID: e.PartnerID, Hash: e.Hash, IssuedAt: e.IssuedAt}
	case APIKeyRevoked:
		key := next.Keys[e.KeyID]
		key.RevokedAt = e.At
		next.Keys[e.KeyID] = key
	case PartnerRegistered:
		next.Partners[e.PartnerID] = Partner{ID: e.PartnerID, Name: e.Name, Channels: e.Channels, RegisteredAt: e.RegisteredAt}
	case PartnerChanged:
		partner := next.Partners[e.PartnerID]
		partner.Name, partner.Channels = e.Name, e.Channels
		next.Partners[e.PartnerID] = partner
	}
	return next
}
