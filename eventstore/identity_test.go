package eventstore_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

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

func TestIDsOfWhatBeginsAtATimeAreInItsOrder(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if got := eventstore.DeriveIDAt(noon, "order", "a", "b"); got != "019ca945-0a00-754b-8a84-8fd59adef513" {
		t.Errorf("the id is %s: it can never change", got)
	}
	last := ""
	for n := range 50 {
		id := eventstore.DeriveIDAt(noon.Add(time.Duration(n)*time.Millisecond), "order", strconv.Itoa(n))
		beside := eventstore.DeriveIDBeside(id, "payment", "1")
		if parsed, err := uuid.Parse(beside); err != nil || parsed.Version() != 7 || beside == id || beside[:13] != id[:13] {
			t.Errorf("beside %s is %s, %v", id, beside, err)
		}
		if id <= last || beside <= last {
			t.Errorf("%s and %s are not behind %s", id, beside, last)
		}
		last = max(id, beside)
	}
}

func TestWhatBelongsToSomethingOutsideOfTimeIsToo(t *testing.T) {
	t.Parallel()
	for _, other := range []string{"", "o", eventstore.DeriveID("order", "a")} {
		if got, want := eventstore.DeriveIDBeside(other, "payment", "1"), eventstore.DeriveID("payment", other, "1"); got != want {
			t.Errorf("beside %q is %s, want %s", other, got, want)
		}
	}
}
