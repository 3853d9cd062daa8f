package api

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

const (
	longestKey = 255
	// replayed is the value of the header Idempotency-Replayed when an answer
	// is that of an earlier request.
	replayed = "true"
)

// validKey reports whether a text can be an Idempotency-Key: 1 to 255
// printable ASCII characters.
func validKey(key string) bool {
	if key == "" || len(key) > longestKey {
		return false
	}
	for i := range len(key) {
		if key[i] < ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}

// fingerprint tells bodies apart that mean something else. Spaces and the
// order of members mean nothing; numbers are compared as they are written. It
// is stored in events, and a body holds personal data: the key keeps anybody
// from finding that by guessing.
func fingerprint(key, body []byte) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return "", fmt.Errorf("read the body again: %w", err)
	}
	canonical, err := json.Marshal(document) // sorts the members
	if err != nil {
		return "", fmt.Errorf("write the body in canonical form: %w", err)
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte("fingerprint\x00"))
	h.Write(canonical)
	return hex.EncodeToString(h.Sum(nil)), nil
}
