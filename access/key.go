package access

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

const (
	prefix      = "wb_" // so that secret scanners recognise a key
	idBytes     = 10
	secretBytes = 32
)

// idEncoding has no "_", which ends the id within a key.
func idEncoding() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

// newKey makes an id and a secret.
func newKey(random io.Reader) (id, secret string, err error) {
	raw := make([]byte, idBytes+secretBytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", "", fmt.Errorf("make an API key: %w", err)
	}
	return idEncoding().EncodeToString(raw[:idBytes]), base64.RawURLEncoding.EncodeToString(raw[idBytes:]), nil
}

func join(id, secret string) string { return prefix + id + "_" + secret }

// split takes a key apart. It reports false for what cannot be a key.
func split(key string) (id, secret string, ok bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	if !ok {
		return "", "", false
	}
	id, secret, ok = strings.Cut(rest, "_")
	if !ok || len(id) != idEncoding().EncodedLen(idBytes) || len(secret) != base64.RawURLEncoding.EncodedLen(secretBytes) {
		return "", "", false
	}
	return id, secret, true
}

// hash is what is stored of a secret. A secret has 256 random bits: there is
// nothing to guess, so a fast hash is enough.
func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
