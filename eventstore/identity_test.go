package eventstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/eventstore"
)

// Stored ids never change: these are for ever.
func TestIdentitiesAreForEver(t *testing.T) {
	t.Parallel()
	if got := eventstore.EventID("order-1", "c1", 0).String(); got != "fca428ec-7bc9-5b00-bada-34ba4c3dafb3" {
		t.Errorf("event id %s", got)
	}
	if got := eventstore.DeriveID("order", "a", "b"); got != "01e3f6b2-5398-554b-8a84-8fd59adef513" {
		t.Errorf("derived id %s", got)
	}
}

func TestIdentitiesAreUUIDsOfVersion5(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"", "a", strings.Repeat("long ", 200)} {
		want := uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "waybill 5:order %d:%s", len(part), part)).String()
		if got := eventstore.DeriveID("order", part); got != want {
			t.Errorf("%d characters: %s, want %s", len(part), got, want)
		}
	}
}

func BenchmarkDeriveID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		eventstore.DeriveID("checkout step", "01890000-0000-7000-8000-000000000000", "1", "authorised")
	}
}

func TestIdentitiesAreUnambiguous(t *testing.T) {
	t.Parallel()
	seen := map[string][]string{}
	for _, parts := range [][]string{
		{"order"},
		{"order", ""},
		{"order", "a"},
		{"order", "a", "b"},
		{"order", "ab"},
		{"order", "a b"},
		{"order", "a 1:b"},
		{"ordera"},
		{"order", "b", "a"},
		{"order", "a", "b", ""},
		{"event", "order-1", "c1", "1"},
	} {
		id := eventstore.DeriveID(parts[0], parts[1:]...)
		if other, taken := seen[id]; taken {
			t.Errorf("%q and %q have the same id", other, parts)
		}
		seen[id] = parts
	}
	a, b := eventstore.EventID("order-1", "c1", 1), eventstore.EventID("order-1", "c1", 11)
	if a == b {
		t.Error("two events of a command have the same id")
	}
}
