package api

import (
	"encoding/json"
	"errors"
	"testing"
)

type place struct {
	At int64  `json:"at"`
	ID string `json:"id"`
}

func TestCursor(t *testing.T) {
	t.Parallel()
	c := cursors{key: []byte("0123456789abcdef")}
	cursor, err := c.encode("orders?status=placed", place{At: 7, ID: "o1"})
	if err != nil {
		t.Fatal(err)
	}
	var got place
	if err := c.decode(cursor, "orders?status=placed", &got); err != nil || got != (place{At: 7, ID: "o1"}) {
		t.Errorf("decode = %v, %v", got, err)
	}
	for name, bad := range map[string]struct{ cursor, scope string }{
		"of other filters": {cursor, "orders?status=shipped"},
		"cut off":          {cursor[:len(cursor)-1], "orders?status=placed"},
		"changed":          {"B" + cursor[1:], "orders?status=placed"},
		"with a tail":      {cursor + "A", "orders?status=placed"},
		"empty":            {"", "orders?status=placed"},
		"not base64":       {"%%%", "orders?status=placed"},
	} {
		if err := c.decode(bad.cursor, bad.scope, &got); !errors.Is(err, errBadCursor) {
			t.Errorf("a cursor %s: %v", name, err)
		}
	}
	if err := (cursors{key: []byte("another key")}).decode(cursor, "orders?status=placed", &got); !errors.Is(err, errBadCursor) {
		t.Errorf("a cursor of another installation: %v", err)
	}
}

func FuzzCursor(f *testing.F) {
	c := cursors{key: []byte("0123456789abcdef")}
	good, err := c.encode("orders", place{At: 1, ID: "a"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		var got place
		if c.decode(cursor, "orders", &got) != nil {
			return
		}
		// Nobody but us can make a cursor, and ours has one spelling.
		again, err := c.encode("orders", got)
		if err != nil || again != cursor {
			raw, _ := json.Marshal(got)
			t.Errorf("%q was accepted as %s", cursor, raw)
		}
	})
}
