package signing

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
)

const publicPrefix = "whpk_"

// Key is an ed25519 key that signs where a receiver should be able to verify
// and not to sign (scheme v1a). However it is printed or logged, it shows
// nothing of its private half.
type Key struct{ private ed25519.PrivateKey }

// KeyOf derives the key that belongs to a name from 32 secret bytes: the same
// for ever, and no hint at the key of another name.
func KeyOf(seed []byte, name string) (Key, error) {
	if len(seed) != ed25519.SeedSize {
		return Key{}, fmt.Errorf("the seed of a signing key has %d bytes, not %d", ed25519.SeedSize, len(seed))
	}
	derived, err := hkdf.Key(sha256.New, seed, nil, "webhook signing key of "+name, ed25519.SeedSize)
	if err != nil {
		return Key{}, fmt.Errorf("derive a signing key: %w", err)
	}
	return Key{private: ed25519.NewKeyFromSeed(derived)}, nil
}

// Public returns the half that receivers verify with, as they get to see it.
func (k Key) Public() string {
	return publicPrefix + base64.StdEncoding.EncodeToString(k.private.Public().(ed25519.PublicKey)) //nolint:forcetypeassert // documented
}

// String implements fmt.Stringer.
func (Key) String() string { return "whsk_***" }

// GoString implements fmt.GoStringer.
func (k Key) GoString() string { return k.String() }

// LogValue implements slog.LogValuer.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText implements encoding.TextMarshaler, so that no JSON shows it.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// ParsePublic reads what Public wrote.
func ParsePublic(text string) (ed25519.PublicKey, error) {
	body, ok := strings.CutPrefix(text, publicPrefix)
	if !ok {
		return nil, fmt.Errorf("a public key starts with %s", publicPrefix)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(body)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("a public key is %s and the base64 of %d bytes", publicPrefix, ed25519.PublicKeySize)
	}
	return key, nil
}
