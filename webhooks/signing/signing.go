// Package signing makes the secrets of endpoints and the signatures of
// Standard Webhooks (https://www.standardwebhooks.com, schemes v1 and v1a). It
// signs the exact bytes that are sent and never prints a secret.
package signing

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

const (
	prefix  = "whsec_"
	keySize = 32
)

// Names of the headers a signature is made of.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// Secret is the key of one endpoint. However it is printed or logged, it shows
// nothing; Text is the only way to see it.
type Secret struct{ key []byte }

// NewSecret reads a fresh secret of 32 bytes from random.
func NewSecret(random io.Reader) (Secret, error) {
	key := make([]byte, keySize)
	if _, err := io.ReadFull(random, key); err != nil {
		return Secret{}, fmt.Errorf("read random bytes for a secret: %w", err)
	}
	return Secret{key: key}, nil
}

// SecretOf returns the secret with those bytes.
func SecretOf(key []byte) (Secret, error) {
	if len(key) != keySize {
		return Secret{}, fmt.Errorf("a secret has %d bytes, not %d", keySize, len(key))
	}
	return Secret{key: key}, nil
}

// ParseSecret reads what Text wrote.
func ParseSecret(text string) (Secret, error) {
	body, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return Secret{}, fmt.Errorf("a secret starts with %s", prefix)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(body)
	if err != nil {
		return Secret{}, fmt.Errorf("a secret is %s and base64", prefix)
	}
	return SecretOf(key)
}

// Text returns the secret as its owner gets to see it, once.
func (s Secret) Text() string { return prefix + base64.StdEncoding.EncodeToString(s.key) }

// Key returns the bytes to seal.
func (s Secret) Key() []byte { return s.key }

// String implements fmt.Stringer.
func (Secret) String() string { return prefix + "***" }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return s.String() }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler, so that no JSON shows it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Sign returns the value of the signature header for one attempt.
func (s Secret) Sign(id string, at time.Time, body []byte) string {
	return SchemeSecret + "," + base64.StdEncoding.EncodeToString(s.mac(signedHead(id, at), body))
}
