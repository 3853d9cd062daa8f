package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// How new passwords are hashed, as OWASP recommends for argon2id: about 30 ms
// and 19 MiB each.
const (
	hashTime    = 2
	hashMemory  = 19 * 1024 // KiB
	hashThreads = 1
	saltBytes   = 16
	keyBytes    = 32
)

// A stored hash may ask for other parameters, within bounds.
const (
	maxHashTime    = 16
	maxHashMemory  = 64 * 1024 // KiB
	maxHashThreads = 8
	minHashBytes   = 8
	maxHashBytes   = 64
)

// passwordHash is a hash in parts.
type passwordHash struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

// newHash hashes a password in the PHC string format.
func newHash(password string) string {
	h := passwordHash{memory: hashMemory, time: hashTime, threads: hashThreads, salt: make([]byte, saltBytes)}
	_, _ = rand.Read(h.salt) // ends the process rather than fail
	h.key = h.compute(password, keyBytes)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

func (h *passwordHash) compute(password string, size uint32) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, size)
}

var errHash = errors.New("not an argon2id hash within bounds")

func parseHash(text string) (passwordHash, error) {
	var (
		h       passwordHash
		version int
	)
	parts := strings.Split(text, "$") // the first is empty
	if len(parts) != 6 || parts[1] != "argon2id" {
		return h, errHash
	}
	_, noVersion := fmt.Sscanf(parts[2], "v=%d", &version)
	_, noCost := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.time, &h.threads)
	var noSalt, noKey error
	h.salt, noSalt = base64.RawStdEncoding.DecodeString(parts[4])
	h.key, noKey = base64.RawStdEncoding.DecodeString(parts[5])
	if errors.Join(noVersion, noCost, noSalt, noKey) != nil || version != argon2.Version || !h.bounded() {
		return h, errHash
	}
	return h, nil
}

func (h *passwordHash) bounded() bool {
	return h.time >= 1 && h.time <= maxHashTime &&
		h.threads >= 1 && h.threads <= maxHashThreads &&
		h.memory >= 8*uint32(h.threads) && h.memory <= maxHashMemory &&
		len(h.salt) >= minHashBytes && len(h.salt) <= maxHashBytes &&
		len(h.key) >= minHashBytes*2 && len(h.key) <= maxHashBytes
}

// matches takes the same time for every account whose password is checked, and
// for those that do not exist: who is nil then.
func matches(who *account, password string) bool {
	var h passwordHash
	err := errHash
	if who != nil {
		h, err = parseHash(who.Hash)
	}
	if err != nil {
		h = passwordHash{memory: hashMemory, time: hashTime, threads: hashThreads, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
	}
	key := h.compute(password, uint32(len(h.key)))
	same := subtle.ConstantTimeCompare(key, h.key) == 1
	return same && err == nil && !who.Disabled
}
