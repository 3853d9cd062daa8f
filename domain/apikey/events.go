package apikey

import (
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is what can have happened to a tenant's keys: [APIKeyIssued] and
// [APIKeyRevoked].
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// APIKeyIssued is recorded when a key is given to somebody. Consumers may rely
// on Hash being one-way: the key itself is stored nowhere.
type APIKeyIssued struct {
	KeyID    string    `json:"key_id"`
	Name     string    `json:"name"`
	Scopes   []Scope   `json:"scopes"`
	Hash     string    `json:"hash"` // SHA-256 of the secret, lower case hexadecimal
	IssuedAt time.Time `json:"issued_at"`
}

// APIKeyRevoked is recorded once, when a key stops being accepted. Nothing
// happens to a key after it.
type APIKeyRevoked struct {
	KeyID string    `json:"key_id"`
	At    time.Time `json:"at"`
}

// EventName implements [domain.Event].
func (APIKeyIssued) EventName() string { return "APIKeyIssued" }

// EventName implements [domain.Event].
func (APIKeyRevoked) EventName() string { return "APIKeyRevoked" }

func (APIKeyIssued) event()  {}
func (APIKeyRevoked) event() {}

// EventTypes describes every stored event of this package.
func EventTypes() []domain.EventType { return domain.EventTypes(APIKeyIssued{}, APIKeyRevoked{}) }
