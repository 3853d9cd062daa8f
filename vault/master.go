package vault

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// firstKey is the id of the key that there is from the first start on.
const firstKey = 1

// masterKeys reads keys by their ids.
func masterKeys(text string) (map[byte][]byte, error) {
	keys := map[byte][]byte{}
	for entry := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		id, key, err := masterKey(entry)
		if err != nil {
			return nil, err
		}
		if keys[id] != nil {
			return nil, fmt.Errorf("there are two master keys %d; every key has a number of its own", id)
		}
		keys[id] = key
	}
	if keys[firstKey] == nil {
		return nil, errors.New("master key 1 is missing; keep it beside those that followed it, cursors and ids hang on it for ever")
	}
	return keys, nil
}

func masterKey(entry string) (id byte, key []byte, err error) {
	number, text, numbered := strings.Cut(entry, ":")
	if !numbered {
		number, text = "1", entry
	}
	parsed, err := strconv.ParseUint(number, 10, 8)
	if err != nil || parsed == 0 {
		return 0, nil, errors.New("the number of a master key is not 1 to 255; write 2:base64")
	}
	key, err = base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != keySize {
		return 0, nil, fmt.Errorf("master key %d is not the base64 of %d bytes; make one with `head -c 32 /dev/urandom | base64`", parsed, keySize)
	}
	return byte(parsed), key, nil
}
