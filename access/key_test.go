package access

import (
	"bytes"
	"strings"
	"testing"
)

func TestKeyRoundTrip(t *testing.T) {
	t.Parallel()
	// Bytes of all ones give the most "_" that base64 can give.
	for _, fill := range []byte{0x00, 0xff, 0x5a} {
		id, secret, err := newKey(bytes.NewReader(bytes.Repeat([]byte{fill}, idBytes+secretBytes)))
		if err != nil {
			t.Fatal(err)
		}
		gotID, gotSecret, ok := split(join(id, secret))
		if !ok || gotID != id || gotSecret != secret {
			t.Errorf("split(join(%q, %q)) = %q, %q, %v", id, secret, gotID, gotSecret, ok)
		}
	}
}

func TestKeyNeedsRandomness(t *testing.T) {
	t.Parallel()
	if _, _, err := newKey(strings.NewReader("too short")); err == nil {
		t.Error("a key was made of too few random bytes")
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("wb_abcdefghijklmnop_" + strings.Repeat("s", 43))
	f.Add("wb_abcdefghijklmnop_" + strings.Repeat("_", 43))
	f.Add("wb__")
	f.Add("")
	f.Fuzz(func(t *testing.T, key string) {
		id, secret, ok := split(key)
		if ok && join(id, secret) != key {
			t.Errorf("%q was read as %q and %q", key, id, secret)
		}
	})
}
