package signing

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Schemes a message can be signed by.
const (
	SchemeSecret = "v1"  // HMAC-SHA256 with the endpoint's secret
	SchemeKey    = "v1a" // ed25519 with a key whose public half is published
)

// What may be wrong with a choice of schemes.
const (
	CodeUnknownScheme  = "signature-scheme-unknown"
	CodeRepeatedScheme = "signature-scheme-repeated"
)

// CheckSchemes reports everything that is wrong with an endpoint's choice. None
// is [SchemeSecret] alone.
func CheckSchemes(schemes []string) []domain.Mistake {
	var mistakes []domain.Mistake
	for i, scheme := range schemes {
		pointer := "/" + strconv.Itoa(i)
		switch {
		case scheme != SchemeSecret && scheme != SchemeKey:
			mistakes = append(mistakes, domain.Mistake{Pointer: pointer, Code: CodeUnknownScheme, Detail: "the schemes are v1 and v1a"})
		case slices.Contains(schemes[:i], scheme):
			mistakes = append(mistakes, domain.Mistake{Pointer: pointer, Code: CodeRepeatedScheme, Detail: scheme + " is named twice"})
		}
	}
	return mistakes
}

// LiveSecret is a secret and how long it signs. While a secret is replaced, two
// or more sign side by side.
type LiveSecret struct {
	Secret
	Until time.Time // zero is for ever
}

// LiveKey is a key and how long it signs.
type LiveKey struct {
	Key
	ID    string
	Until time.Time // zero is for ever
}

// Signer signs with everything that is alive at that moment.
type Signer struct {
	Secrets []LiveSecret
	Keys    []LiveKey
}

// Sign returns the value of the signature header for one attempt: one
// signature for each secret and key, of which a receiver needs one.
func (s Signer) Sign(id string, at time.Time, body []byte) string {
	head := signedHead(id, at)
	var header strings.Builder
	for _, secret := range s.Secrets {
		if alive(secret.Until, at) {
			write(&header, SchemeSecret, secret.mac(head, body))
		}
	}
	for _, key := range s.Keys {
		if alive(key.Until, at) {
			write(&header, SchemeKey, ed25519.Sign(key.private, slices.Concat(head, body)))
		}
	}
	return header.String()
}

func alive(until, at time.Time) bool { return until.IsZero() || at.Before(until) }

func write(header *strings.Builder, scheme string, signature []byte) {
	if header.Len() > 0 {
		header.WriteByte(' ')
	}
	header.WriteString(scheme)
	header.WriteByte(',')
	header.WriteString(base64.StdEncoding.EncodeToString(signature))
}

// signedHead is what stands before the body in what is signed.
func signedHead(id string, at time.Time) []byte {
	head := make([]byte, 0, len(id)+22)
	head = append(append(head, id...), '.')
	return append(strconv.AppendInt(head, at.Unix(), 10), '.')
}

func (s Secret) mac(head, body []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write(head)
	h.Write(body)
	return h.Sum(nil)
}
