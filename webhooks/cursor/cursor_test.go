package cursor_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/cursor"
)

func codec(tb testing.TB, fill byte) *cursor.Codec {
	tb.Helper()
	c, err := cursor.New(bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestCursorsAreStableAndComeBack(t *testing.T) {
	t.Parallel()
	c := codec(t, 7)
	seen := map[string]bool{}
	for _, position := range []eventstore.Position{0, 1, 2, 1 << 32, math.MaxUint64} {
		text := c.Encode("live", position)
		if text != codec(t, 7).Encode("live", position) || seen[text] {
			t.Errorf("%d: %q is not stable or not its own", position, text)
		}
		seen[text] = true
		if got, err := c.Decode("live", text); err != nil || got != position {
			t.Errorf("%d: %d, %v", position, got, err)
		}
	}
}

// A cursor that partners have saved must stay readable for ever.
func TestGoldenCursor(t *testing.T) {
	t.Parallel()
	const want = "c1.lUYmZvnzdp7PxDbldxuH2fcDY6dOCXjz"
	if got := codec(t, 7).Encode("live", 123456789); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestForeignCursorsAreRefused(t *testing.T) {
	t.Parallel()
	c := codec(t, 7)
	text := c.Encode("live", 99)
	for name, other := range map[string]string{
		"empty": "", "no prefix": text[3:], "cut": text[:len(text)-1], "long": text + "A",
		"other version": "c2." + text[3:], "flipped": strings.Replace(text, text[5:6], string(text[5]^1), 1),
	} {
		if _, err := c.Decode("live", other); !errors.Is(err, cursor.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Decode("other", text); !errors.Is(err, cursor.ErrInvalid) {
		t.Errorf("other scope: %v", err)
	}
	if _, err := codec(t, 8).Decode("live", text); !errors.Is(err, cursor.ErrInvalid) {
		t.Errorf("other key: %v", err)
	}
	if _, err := cursor.New([]byte("short")); err == nil {
		t.Error("a short key was accepted")
	}
}

func FuzzDecode(f *testing.F) {
	c := codec(f, 7)
	f.Add(c.Encode("live", 5))
	f.Add("c1.")
	f.Fuzz(func(t *testing.T, text string) {
		position, err := c.Decode("live", text)
		if err == nil && c.Encode("live", position) != text {
			t.Fatalf("%q decodes to %d, which has another text", text, position)
		}
	})
}
