package api

import (
	"strings"
	"testing"
)

func TestValidKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"":                         false,
		"a":                        true,
		"order 17 / retry":         true,
		strings.Repeat("k", 255):   true,
		strings.Repeat("k", 256):   false,
		"tab\tinside":              false,
		"Schlüssel":                false,
		"online-retail:C536379":    true,
		"\x7f":                     false,
		"3fa85f64-5717-4562-b3fc-": true,
	} {
		if got := validKey(key); got != want {
			t.Errorf("validKey(%q) = %v", key, got)
		}
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	first, err := fingerprint(nil, []byte(`{"a": 1, "b": [1, 2]}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body string
		same bool
	}{
		"spaces and order":  {"{\"b\":[1,2],\n\"a\":1}", true},
		"another value":     {`{"a": 2, "b": [1, 2]}`, false},
		"another order":     {`{"a": 1, "b": [2, 1]}`, false},
		"one more member":   {`{"a": 1, "b": [1, 2], "c": null}`, false},
		"a different type":  {`{"a": "1", "b": [1, 2]}`, false},
		"escaped otherwise": {`{"\u0061": 1, "b": [1, 2]}`, true},
	} {
		got, err := fingerprint(nil, []byte(c.body))
		if err != nil || (got == first) != c.same {
			t.Errorf("%s: same = %v, %v", name, got == first, err)
		}
	}
	if a, b := printOf(t, `{"n":9007199254740993}`), printOf(t, `{"n":9007199254740992}`); a == b {
		t.Error("two large numbers are taken for the same")
	}
	if _, err := fingerprint(nil, []byte(`{`)); err == nil {
		t.Error("half a body has a fingerprint")
	}
}

func printOf(t *testing.T, body string) string {
	t.Helper()
	print, err := fingerprint(nil, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return print
}

func FuzzKey(f *testing.F) {
	f.Add("k")
	f.Add("")
	f.Add("\x00")
	f.Fuzz(func(t *testing.T, key string) {
		if validKey(key) && (len(key) > longestKey || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' })) {
			t.Errorf("%q is accepted", key)
		}
	})
}

func FuzzFingerprint(f *testing.F) {
	f.Add(`{"a":1}`)
	f.Add(`[1,{}]`)
	f.Fuzz(func(t *testing.T, body string) {
		first, err := fingerprint(nil, []byte(body))
		if err != nil {
			return
		}
		if again, err := fingerprint(nil, []byte(" "+body)); err != nil || again != first {
			t.Errorf("a space changed the fingerprint of %q: %v", body, err)
		}
	})
}
