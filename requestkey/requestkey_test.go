package requestkey_test

import (
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/idempotency"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/requestkey"
)

func connect(t *testing.T) *eventstore.Client {
	t.Helper()
	codec, err := eventstore.NewCodec(idempotency.EventTypes()...)
	if err != nil {
		t.Fatal(err)
	}
	client, err := eventstore.NewClient(eventstore.Config{ConnectionString: nodetest.Start(t), Codec: codec, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func request(command, fingerprint string) eventstore.Metadata {
	return eventstore.Metadata{CommandID: command, Fingerprint: fingerprint}
}

// stored counts the events of a key.
func stored(t *testing.T, store eventstore.Store, command string) (n int) {
	t.Helper()
	for _, err := range store.ReadStream(t.Context(), "idempotency-"+command, 0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func TestAKeyIsTakenByOneRequest(t *testing.T) {
	t.Parallel()
	store, ctx := connect(t), t.Context()
	first, other := request("c1", "a"), request("c1", "b")
	if used, err := requestkey.Used(ctx, store, first); used || err != nil {
		t.Errorf("before anybody took it: used %v, %v", used, err)
	}
	for range 2 {
		if err := requestkey.Use(ctx, store, first); err != nil {
			t.Fatal(err)
		}
	}
	if used, err := requestkey.Used(ctx, store, first); !used || err != nil {
		t.Errorf("the same request: used %v, %v", used, err)
	}
	if _, unchanged, err := requestkey.Unchanged(ctx, store, first); unchanged || err != nil {
		t.Errorf("a request that makes something: unchanged %v, %v", unchanged, err)
	}
	used, err := requestkey.Used(ctx, store, other)
	_, unchanged, errUnchanged := requestkey.Unchanged(ctx, store, other)
	_, errKept := requestkey.KeepUnchanged(ctx, store, other, 3)
	for _, err := range []error{err, errUnchanged, errKept, requestkey.Use(ctx, store, other)} {
		if used || unchanged || !errors.Is(err, domain.ErrKeyReused) {
			t.Errorf("another request: used %v, unchanged %v, %v", used, unchanged, err)
		}
	}
	if n := stored(t, store, "c1"); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestAKeyKeepsTheRevisionThatWasFoundFirst(t *testing.T) {
	t.Parallel()
	store, ctx := connect(t), t.Context()
	for _, found := range []eventstore.Revision{0, 5} {
		if kept, err := requestkey.KeepUnchanged(ctx, store, request("c1", "a"), found); kept != 0 || err != nil {
			t.Errorf("found %d, kept %d, %v", found, kept, err)
		}
	}
	if at, unchanged, err := requestkey.Unchanged(ctx, store, request("c1", "a")); at != 0 || !unchanged || err != nil {
		t.Errorf("the same request: at %d, unchanged %v, %v", at, unchanged, err)
	}
}

func TestWithoutAKeyNothingIsKept(t *testing.T) {
	t.Parallel()
	store, ctx, none := connect(t), t.Context(), request("c1", "")
	if err := requestkey.Use(ctx, store, none); err != nil {
		t.Error(err)
	}
	if kept, err := requestkey.KeepUnchanged(ctx, store, none, 7); kept != 7 || err != nil {
		t.Errorf("kept %d, %v", kept, err)
	}
	if _, unchanged, err := requestkey.Unchanged(ctx, store, none); unchanged || err != nil {
		t.Errorf("unchanged %v, %v", unchanged, err)
	}
	if used, err := requestkey.Used(ctx, store, none); used || err != nil {
		t.Errorf("used %v, %v", used, err)
	}
	if n := stored(t, store, "c1"); n != 0 {
		t.Errorf("%d events", n)
	}
}

// TestRequestsOfTheSameMoment has half of the callers ask for one thing and half
// for another, and each find a revision of its own.
func TestRequestsOfTheSameMoment(t *testing.T) {
	t.Parallel()
	const callers = 16
	store := connect(t)
	var answers [callers]struct {
		kept eventstore.Revision
		err  error
	}
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			answers[i].kept, answers[i].err = requestkey.KeepUnchanged(
				t.Context(), store, request("c1", []string{"a", "b"}[i%2]), eventstore.Revision(i))
		})
	}
	all.Wait()
	at, _, err := requestkey.Unchanged(t.Context(), store, request("c1", "a"))
	winner := 0
	if errors.Is(err, domain.ErrKeyReused) {
		at, _, err = requestkey.Unchanged(t.Context(), store, request("c1", "b"))
		winner = 1
	}
	if err != nil || int(at)%2 != winner {
		t.Fatalf("revision %d: %v", at, err)
	}
	for i, answer := range answers {
		switch won := i%2 == winner; {
		case won && (answer.err != nil || answer.kept != at):
			t.Errorf("caller %d, who is answered as the first: %d instead of %d, %v", i, answer.kept, at, answer.err)
		case !won && !errors.Is(answer.err, domain.ErrKeyReused):
			t.Errorf("caller %d, who is refused: %v", i, answer.err)
		}
	}
	if n := stored(t, store, "c1"); n != 1 {
		t.Errorf("%d events", n)
	}
}
