package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
)

// errBadCursor says that a cursor was not made here, or for another list.
var errBadCursor = errors.New("cursor was not made for this list")

const macSize = sha256.Size / 2

// cursors makes and reads opaque cursors of lists: where a page ended, bound
// to the list and its filters. They are signed, so that nobody depends on what
// is inside.
type cursors struct{ key []byte }

// encode signs a place in a list. What tells the lists apart is in scope.
func (c cursors) encode(scope string, place any) (string, error) {
	payload, err := json.Marshal(place)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(c.mac(scope, payload), payload...)), nil
}

// decode reads a place that encode made with the same scope, else
// [errBadCursor].
func (c cursors) decode(cursor, scope string, place any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) < macSize {
		return errBadCursor
	}
	mac, payload := raw[:macSize], raw[macSize:]
	if !hmac.Equal(mac, c.mac(scope, payload)) {
		return errBadCursor
	}
	if err := json.Unmarshal(payload, place); err != nil {
		return errBadCursor
	}
	return nil
}

func (c cursors) mac(scope string, payload []byte) []byte {
	h := hmac.New(sha256.New, c.key)
	h.Write([]byte(scope))
	h.Write([]byte{0})
	h.Write(payload)
	return h.Sum(nil)[:macSize]
}
