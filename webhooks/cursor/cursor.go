// Package cursor turns positions of the log into opaque texts and back. The
// same position has the same text for ever, so that a receiver may compare
// them, and nothing can be learnt from a text without the key: neither how
// many events there are nor which of two is the older one.
package cursor

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/eventstore"
)

// ErrInvalid says that a text is not a cursor of ours, or of another scope.
var ErrInvalid = errors.New("not a valid cursor")

const (
	prefix  = "c1."
	ivSize  = aes.BlockSize
	rawSize = ivSize + 8
	keySize = 32
)

// Codec encodes and decodes cursors. It is safe for concurrent use.
type Codec struct {
	block cipher.Block
	mac   []byte
}

// New makes a codec of a secret key of at least 32 bytes.
func New(key []byte) (*Codec, error) {
	if len(key) < keySize {
		return nil, fmt.Errorf("cursor key has %d bytes, at least %d are needed", len(key), keySize)
	}
	encryption, err := hkdf.Key(sha256.New, key, nil, "waybill cursor encryption", keySize)
	if err != nil {
		return nil, fmt.Errorf("derive cursor encryption key: %w", err)
	}
	mac, err := hkdf.Key(sha256.New, key, nil, "waybill cursor authentication", keySize)
	if err != nil {
		return nil, fmt.Errorf("derive cursor authentication key: %w", err)
	}
	block, err := aes.NewCipher(encryption)
	if err != nil {
		return nil, fmt.Errorf("cursor cipher: %w", err)
	}
	return &Codec{block: block, mac: mac}, nil
}

// Encode returns the text of a position. A text of one scope is not valid in
// another.
func (c *Codec) Encode(scope string, position eventstore.Position) string {
	var plain [8]byte
	binary.BigEndian.PutUint64(plain[:], uint64(position))
	raw := make([]byte, rawSize)
	copy(raw, c.iv(scope, plain[:]))
	cipher.NewCTR(c.block, raw[:ivSize]).XORKeyStream(raw[ivSize:], plain[:])
	return prefix + base64.RawURLEncoding.EncodeToString(raw)
}

// Decode returns the position of a text, or [ErrInvalid].
func (c *Codec) Decode(scope, text string) (eventstore.Position, error) {
	body, ok := strings.CutPrefix(text, prefix)
	if !ok || len(body) != base64.RawURLEncoding.EncodedLen(rawSize) {
		return 0, ErrInvalid
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || len(raw) != rawSize {
		return 0, ErrInvalid
	}
	var plain [8]byte
	cipher.NewCTR(c.block, raw[:ivSize]).XORKeyStream(plain[:], raw[ivSize:])
	if !hmac.Equal(raw[:ivSize], c.iv(scope, plain[:])) {
		return 0, ErrInvalid
	}
	return eventstore.Position(binary.BigEndian.Uint64(plain[:])), nil
}

// iv is synthetic: derived from what is encrypted, it makes the text stable
// and at the same time authenticates it.
func (c *Codec) iv(scope string, plain []byte) []byte {
	h := hmac.New(sha256.New, c.mac)
	h.Write(plain)
	h.Write([]byte(scope))
	return h.Sum(nil)[:ivSize]
}
