// Package access knows who calls: it issues API keys, recognises them and says
// what each may do. It promises that a key is shown once and stored nowhere,
// that keys are compared in constant time, and that recognising a key costs no
// I/O. It knows nothing of HTTP.
package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"

	"github.com/waybill-dev/waybill/domain/apikey"
)

// AdminID is the id of the key that comes from the settings.
const AdminID = "admin"

// ErrUnknownKey says that a key is malformed, was never issued or is revoked:
// which of them is not told.
var ErrUnknownKey = errors.New("API key is not valid")

// Credential is a caller that was recognised.
type Credential struct {
	KeyID  string
	Scopes []apikey.Scope
	// PartnerID is on whose behalf the caller acts, "" the shop's. Channels are
	// the partner's sales channels: no other orders are for him.
	PartnerID string
	Channels  []string
}

// May reports whether the caller has one of the scopes, or all of them as
// admin.
func (c Credential) May(scopes ...apikey.Scope) bool {
	return slices.ContainsFunc(c.Scopes, func(has apikey.Scope) bool {
		return has == apikey.Admin || slices.Contains(scopes, has)
	})
}

// same compares in a time that depends on neither value.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
