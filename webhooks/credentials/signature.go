package credentials

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // HMAC-SHA1 is not broken, and receivers of old systems know nothing else
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
)

// Signature is one as the endpoint knows it from another system: an HMAC of the
// body in a header. It is sent beside our own, so that a receiver can take
// messages of both systems while it moves, and verify ours afterwards.
type Signature struct {
	Header    string `json:"header" doc:"The header it is sent in." example:"X-Hub-Signature-256"`
	Secret    string `json:"secret" doc:"The key of the HMAC, as it is; never shown again."`
	Algorithm string `json:"algorithm,omitempty" enum:"sha1,sha256,sha512" doc:"Of the HMAC; sha256 where none is given."`
	Encoding  string `json:"encoding,omitempty" enum:"hex,base64" doc:"hex where none is given."`
	Prefix    string `json:"prefix,omitempty" doc:"Before the HMAC." example:"sha256="`
}

// hashes are the algorithms, by name; "" is the usual one.
var hashes = map[string]func() hash.Hash{"": sha256.New, "sha256": sha256.New, "sha1": sha1.New, "sha512": sha512.New}

// encodings are how the HMAC is written; "" is the usual one.
var encodings = map[string]func([]byte) string{"": hex.EncodeToString, "hex": hex.EncodeToString, "base64": base64.StdEncoding.EncodeToString}

func (s Signature) check(m *mistakes) {
	switch {
	case !token(s.Header):
		m.add("/signature/header", CodeHeaderName, "a header's name has letters, digits and hyphens, at most %d", longestName)
	case reserved(strings.ToLower(s.Header)):
		m.add("/signature/header", CodeHeaderReserved, "%s is not for you to set", s.Header)
	}
	m.text("/signature/secret", s.Secret)
	if hashes[s.Algorithm] == nil {
		m.add("/signature/algorithm", CodeMalformed, "sha256, sha1 or sha512")
	}
	if encodings[s.Encoding] == nil {
		m.add("/signature/encoding", CodeMalformed, "hex or base64")
	}
	if len(s.Prefix) > longestName || strings.ContainsFunc(s.Prefix, notInValue) {
		m.add("/signature/prefix", CodeHeaderValue, "printable ASCII characters, at most %d", longestName)
	}
}

// of returns the text of the signature of a body.
func (s Signature) of(body []byte) string {
	mac := hmac.New(hashes[s.Algorithm], []byte(s.Secret))
	mac.Write(body)
	return s.Prefix + encodings[s.Encoding](mac.Sum(nil))
}

// Sign adds the signature that the endpoint knows from another system, if it
// has one, of the body or, where it is to be refused, of another one.
func (s *Session) Sign(header http.Header, body []byte, forged bool) {
	signature := s.credentials.Signature
	if signature == nil {
		return
	}
	if forged {
		body = append(append([]byte(nil), body...), ' ')
	}
	header.Set(signature.Header, signature.of(body))
}
