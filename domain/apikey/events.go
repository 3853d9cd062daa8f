package apikey

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is what can have happened to a tenant's keys: [APIKeyIssued],
// [APIKeyRevoked], [PartnerRegistered] and [PartnerChanged].
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// APIKeyIssued is recorded when a key is given to somebody. Consumers may rely
// on Hash being one-way: the key itself is stored nowhere.
type APIKeyIssued struct {
	KeyID     string    `json:"key_id"`
	Name      string    `json:"name"`
	Scopes    []Scope   `json:"scopes"`
	PartnerID string    `json:"partner_id,omitempty"` // whose key it is, "" the shop's own
	Hash      string    `json:"hash"`                 // SHA-256 of the secret, lower case hexadecimal
	IssuedAt  time.Time `json:"issued_at"`
}

// APIKeyRevoked is recorded once, when a key stops being accepted. Nothing
// happens to a key after it.
type APIKeyRevoked struct {
	KeyID string    `json:"key_id"`
	At    time.Time `json:"at"`
}

// PartnerRegistered is recorded once, before the first key of a partner.
type PartnerRegistered struct {
	PartnerID    string    `json:"partner_id"`
	Name         string    `json:"name"`
	Channels     []string  `json:"channels"` // sales channels, as orders name them
	RegisteredAt time.Time `json:"registered_at"`
}

// PartnerChanged is recorded when a partner has another name or other sales
// channels from then on. Consumers may rely on both being there.
type PartnerChanged struct {
	PartnerID string    `json:"partner_id"`
	Name      string    `json:"name"`
	Channels  []string  `json:"channels"`
	ChangedAt time.Time `json:"changed_at"`
}

// EventName implements [domain.Event].
func (APIKeyIssued) EventName() string { return "APIKeyIssued" }

// EventName implements [domain.Event].
func (APIKeyRevoked) EventName() string { return "APIKeyRevoked" }

// EventName implements [domain.Event].
func (PartnerRegistered) EventName() string { return "PartnerRegistered" }

// EventName implements [domain.Event].
func (PartnerChanged) EventName() string { return "PartnerChanged" }

func (APIKeyIssued) event()      {}
func (APIKeyRevoked) event()     {}
func (PartnerRegistered) event() {}
func (PartnerChanged) event()    {}

// EventTypes describes every stored event of this package.
func EventTypes() []domain.EventType {
	return domain.EventTypes(APIKeyIssued{}, APIKeyRevoked{}, PartnerRegistered{}, PartnerChanged{})
}
