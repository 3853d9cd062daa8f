package signingkey_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks/signingkey"
)

type installation struct {
	store *eventstore.Client
	ring  *vault.Keyring
	now   time.Time
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	codec, err := eventstore.NewCodec(signingkey.EventTypes()...)
	if err != nil {
		t.Fatal(err)
	}
	store, err := eventstore.NewClient(eventstore.Config{ConnectionString: nodetest.Start(t), Codec: codec, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	ring, err := vault.OpenKeyring(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	return &installation{store: store, ring: ring, now: noon}
}

// process returns the keys as another process has them.
func (i *installation) process() *signingkey.Keys {
	return &signingkey.Keys{Store: i.store, Sealer: i.ring, Random: rand.Reader, Now: func() time.Time { return i.now }}
}

func public(t *testing.T, k *signingkey.Keys, tenant string) (ids, keys []string) {
	t.Helper()
	list, err := k.Public(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range list {
		ids, keys = append(ids, key.ID), append(keys, key.PublicKey)
	}
	return ids, keys
}

func rotate(t *testing.T, k *signingkey.Keys, id string, overlap time.Duration) {
	t.Helper()
	if err := k.Rotate(t.Context(), overlap, eventstore.Metadata{CommandID: id}); err != nil {
		t.Fatal(err)
	}
}

func TestKeysAreTheSameInEveryProcessAndOthersForEachTenant(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	a, b := i.process(), i.process()
	_, acme := public(t, a, "acme")
	_, again := public(t, b, "acme")
	_, other := public(t, b, "other")
	if len(acme) != 1 || cmp.Diff(acme, again) != "" || acme[0] == other[0] || !strings.HasPrefix(acme[0], "whpk_") {
		t.Errorf("%v, %v, %v", acme, again, other)
	}
	for r, err := range i.store.ReadStream(t.Context(), "signingkey-default", 0) {
		if err != nil || r.Revision > 0 || bytes.Contains(r.Data, []byte(acme[0][5:])) {
			t.Errorf("%v, stored %s", err, r.Data)
		}
	}
}

func TestARotatedKeyIsShownAndSignsUntilItsOverlapIsOver(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	a, b := i.process(), i.process()
	_, before := public(t, a, "")
	public(t, b, "")
	rotate(t, a, "r1", time.Hour)
	rotate(t, a, "r1", time.Hour) // a repeat
	ids, keys := public(t, a, "")
	if cmp.Diff([]string{"1", "2"}, ids) != "" || keys[0] != before[0] {
		t.Errorf("after a rotation: %v, %v", ids, keys)
	}
	if ids, _ := public(t, b, ""); len(ids) != 1 {
		t.Errorf("another process knows at once: %v", ids)
	}
	i.now = noon.Add(10 * time.Second)
	if ids, _ := public(t, b, ""); len(ids) != 2 {
		t.Errorf("another process does not learn of it: %v", ids)
	}
	i.now = noon.Add(time.Hour)
	if ids, _ := public(t, a, ""); cmp.Diff([]string{"2"}, ids) != "" {
		t.Errorf("after the overlap: %v", ids)
	}
	live, err := a.Live(t.Context(), "")
	if err != nil || len(live) != 2 || !live[0].Until.Equal(noon.Add(time.Hour)) || !live[1].Until.IsZero() {
		t.Errorf("%v, %v", live, err)
	}
	if err := a.Rotate(t.Context(), signingkey.LongestOverlap+1, eventstore.Metadata{CommandID: "r2"}); !errors.Is(err, signingkey.ErrOverlap) {
		t.Errorf("a long overlap: %v", err)
	}
}

// meeting has another process append before its own first append.
type meeting struct {
	eventstore.Store
	other func()
}

func (m *meeting) Append(ctx context.Context, stream string, at eventstore.Revision, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	if other := m.other; other != nil {
		m.other = nil
		other()
	}
	return m.Store.Append(ctx, stream, at, events...)
}

// Two processes are sent requests under one key at the same moment: a repeat
// makes no further key, and another overlap is refused.
func TestRotationsOfTheSameMomentMeet(t *testing.T) {
	t.Parallel()
	for overlap, want := range map[time.Duration]error{time.Hour: nil, time.Minute: domain.ErrKeyReused} {
		i := newInstallation(t)
		first, second := i.process(), i.process()
		public(t, first, "acme")
		second.Store = &meeting{i.store, func() { rotate(t, first, "r1", time.Hour) }}
		if err := second.Rotate(t.Context(), overlap, eventstore.Metadata{CommandID: "r1"}); !errors.Is(err, want) {
			t.Errorf("with an overlap of %s: %v", overlap, err)
		}
		if _, keys := public(t, i.process(), "acme"); len(keys) != 2 {
			t.Errorf("with an overlap of %s: %v", overlap, keys)
		}
	}
}

// Two processes seal the seeds anew at the same moment, under one command: both
// can be opened, and each process counts what it did.
func TestSeedsAreResealedByTwoAtOnce(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	first, second := i.process(), i.process()
	_, before := public(t, first, "acme")
	sealed := map[string]bool{} // by whoever was first
	old := func(seal []byte) bool { return !sealed[string(seal)] }
	meta := eventstore.Metadata{CommandID: "reseal"}
	second.Store = &meeting{i.store, func() {
		if n, err := first.Reseal(t.Context(), old, meta); n != 1 || err != nil {
			t.Errorf("resealed %d, %v", n, err)
		}
		for r, err := range eventstore.Events(t.Context(), eventstore.Store(i.store), signingkey.Decider, "default", 1) {
			if err != nil {
				t.Fatal(err)
			}
			sealed[string(r.Event.(signingkey.Resealed).SealedSeed)] = true
		}
	}}
	if n, err := second.Reseal(t.Context(), old, meta); n != 0 || err != nil {
		t.Errorf("the second resealed %d, %v", n, err)
	}
	if _, after := public(t, i.process(), "acme"); cmp.Diff(before, after) != "" {
		t.Errorf("the keys are %v, were %v", after, before)
	}
}

func TestKnownKeysDoWhileTheLogIsAway(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	k := i.process()
	_, before := public(t, k, "")
	i.now = noon.Add(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if live, err := k.Live(ctx, ""); err != nil || live[0].Public() != before[0] {
		t.Errorf("%v, %v", live, err)
	}
	if _, err := i.process().Live(ctx, ""); err == nil {
		t.Error("a key came out of nothing")
	}
}
