package signingkey_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/webhooks/signingkey"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func TestDecide(t *testing.T) {
	t.Parallel()
	first := signingkey.Rotated{Version: 1, RotationID: "r1", SealedSeed: []byte("one"), RotatedAt: noon}
	second := signingkey.Rotated{Version: 2, RotationID: "r2", SealedSeed: []byte("two"), OldUntil: noon.Add(time.Hour), RotatedAt: noon}
	third := signingkey.Rotated{Version: 3, RotationID: "r3", SealedSeed: []byte("three"), OldUntil: noon.Add(2 * time.Hour), RotatedAt: noon.Add(time.Hour)}
	rotate := func(version int, id string, overlap time.Duration) signingkey.Rotate {
		seed := map[int][]byte{1: []byte("one"), 2: []byte("two")}[version]
		return signingkey.Rotate{Version: version, RotationID: id, SealedSeed: seed, Overlap: overlap, At: noon}
	}
	decidertest.Run(t, signingkey.Decider, []decidertest.Case[signingkey.Command, signingkey.Event]{
		{Name: "the first seed follows nobody", When: rotate(1, "r1", time.Hour), Then: []signingkey.Event{first}},
		{Name: "the second lets the first one sign a while", Given: []signingkey.Event{first}, When: rotate(2, "r2", time.Hour), Then: []signingkey.Event{second}},
		{Name: "who asks again gets no third", Given: []signingkey.Event{first, second}, When: rotate(3, "r2", time.Hour)},
		{Name: "a rotation has one overlap", Given: []signingkey.Event{first, second}, When: rotate(3, "r2", time.Minute), Refused: domain.ErrKeyReused},
		{Name: "which a later one does not change", Given: []signingkey.Event{first, second, third}, When: rotate(4, "r2", time.Hour)},
		{Name: "who was slower changes nothing", Given: []signingkey.Event{first, second}, When: rotate(2, "r3", time.Hour)},
		{Name: "an overlap has an end", Given: []signingkey.Event{first}, When: rotate(2, "r2", signingkey.LongestOverlap+1), Refused: signingkey.ErrOverlap},
		{Name: "an overlap is not negative", Given: []signingkey.Event{first}, When: rotate(2, "r2", -1), Refused: signingkey.ErrOverlap},
	})
}

func TestStoredEvents(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, signingkey.EventTypes())
}

func TestStateIsNotShared(t *testing.T) {
	t.Parallel()
	before := signingkey.Decider.Fold(signingkey.State{}, signingkey.Rotated{Version: 1})
	after := signingkey.Decider.Fold(before, signingkey.Rotated{Version: 2, OldUntil: noon})
	if !before.Seeds[0].NotAfter.IsZero() || !after.Seeds[0].NotAfter.Equal(noon) || len(after.Seeds) != 2 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}
