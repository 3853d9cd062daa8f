package router_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/domain/deadletter"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/deadletters"
	"github.com/waybill-dev/waybill/handlers/effects/router"
	"github.com/waybill-dev/waybill/vault"
)

// poison is what no handler of these tests likes until it is mended.
const poison = "mail refused for ann@example.com"

func newDesk(t *testing.T, b *bench) *deadletters.Desk {
	t.Helper()
	keys, err := vault.OpenKeyring(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	b.desk = deadletters.New(b.client, keys, time.Now)
	return b.desk
}

func bad(text string, _ int) error {
	if text == "bad" || text == "worse" {
		return effects.Permanent(errors.New(poison))
	}
	return nil
}

func operator(command string) eventstore.Metadata {
	return eventstore.Metadata{Actor: eventstore.Actor{Type: "api_key", ID: "k1"}, CommandID: command}
}

func letters(t *testing.T, desk *deadletters.Desk, filter deadletters.Filter) []deadletters.Letter {
	t.Helper()
	all, _, err := desk.List(t.Context(), "mail", filter, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// waitLetters waits for so many that pass.
func waitLetters(t *testing.T, desk *deadletters.Desk, filter deadletters.Filter, count int) (all []deadletters.Letter) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%d are %+v", count, filter), func() bool {
		all = letters(t, desk, filter)
		return len(all) == count
	})
	return all
}

func TestADeadLetterIsRetriedOnceTheHandlerIsMended(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	desk, o := newDesk(t, b), newOutside(bad)
	b.note(t, "bad", "good")
	b.run(t, router.Effect{Name: "mail", Config: quick, Handle: o.handle})
	letter := waitLetters(t, desk, deadletters.Filter{}, 1)[0]
	if letter.Status != deadletter.Parked || letter.Event.Stream != "note-bad" || letter.Attempts != 1 || letter.Errors[0].Error != poison {
		t.Errorf("listed: %+v", letter)
	}
	number := int64(letter.Number)
	if err := desk.Retry(t.Context(), operator("c1"), "mail", number); err != nil {
		t.Fatal(err)
	}
	letter = waitLetters(t, desk, deadletters.Filter{Status: deadletter.Failed}, 1)[0]
	if len(letter.Errors) != 2 || letter.Errors[1].Error != poison {
		t.Errorf("after a retry that failed: %+v", letter.Errors)
	}
	o.set(nil)
	for _, command := range []string{"c2", "c3"} { // asked twice
		if err := desk.Retry(t.Context(), operator(command), "mail", number); err != nil && !errors.Is(err, deadletter.ErrClosed) {
			t.Fatal(err)
		}
	}
	waitLetters(t, desk, deadletters.Filter{Status: deadletter.Handled}, 1)
	if diff := cmp.Diff(map[string]int{"bad": 1, "good": 1}, o.times(did)); diff != "" {
		t.Errorf("effects (-want +got)\n%s", diff)
	}
	if got := letters(t, desk, deadletters.Filter{}); len(got) != 0 {
		t.Errorf("still listed: %+v", got)
	}
	if err := desk.Discard(t.Context(), operator("c4"), "mail", number, "too_late"); !errors.Is(err, deadletter.ErrClosed) {
		t.Errorf("discarding what was handled: %v", err)
	}
	for r, err := range b.client.ReadStream(t.Context(), deadletters.Stream("mail"), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(r.Data, []byte("ann@")) {
			t.Errorf("in the clear: %s", r.Data)
		}
	}
}

func TestADiscardedDeadLetterStaysOnRecord(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	desk, o := newDesk(t, b), newOutside(bad)
	b.note(t, "bad")
	b.run(t, router.Effect{Name: "mail", Config: quick, Handle: o.handle})
	number := int64(waitLetters(t, desk, deadletters.Filter{}, 1)[0].Number)
	if err := desk.Discard(t.Context(), operator("c1"), "mail", number, "Ann called"); !errors.Is(err, deadletter.ErrInvalid) {
		t.Errorf("a reason that is no word: %v", err)
	}
	if err := desk.Discard(t.Context(), operator("c2"), "mail", number, "test_order"); err != nil {
		t.Fatal(err)
	}
	waitLetters(t, desk, deadletters.Filter{}, 0)
	letter, err := desk.Get(t.Context(), "mail", number)
	if err != nil {
		t.Fatal(err)
	}
	if c := letter.Changes; len(c) != 1 || c[0].Reason != "test_order" || c[0].By != "k1" || letter.Status != deadletter.Discarded {
		t.Errorf("on record: %+v", letter)
	}
	if err := desk.Retry(t.Context(), operator("c3"), "mail", number); !errors.Is(err, deadletter.ErrClosed) {
		t.Errorf("retrying it: %v", err)
	}
	if err := desk.Retry(t.Context(), operator("c4"), "mail", number+7); !errors.Is(err, deadletter.ErrNotFound) {
		t.Errorf("retrying another: %v", err)
	}
}

// TestARetryThatWasAnnouncedIsFinished ends the process between the decision and
// the effect, and then in the middle of the effect.
func TestARetryThatWasAnnouncedIsFinished(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	desk, o, box := newDesk(t, b), newOutside(bad), newInbox(t, "mail")
	config := quick
	config.Semantics = router.Once
	effect := router.Effect{Name: "mail", Config: config, Handle: o.handle, Inbox: box}
	b.note(t, "bad")
	stop := b.run(t, effect)
	number := int64(waitLetters(t, desk, deadletters.Filter{}, 1)[0].Number)
	stop()
	if err := desk.Retry(t.Context(), operator("c1"), "mail", number); err != nil {
		t.Fatal(err)
	}
	o.set(nil)
	began := make(chan struct{})
	begin := sync.OnceFunc(func() { close(began) })
	dying := effect
	dying.Handle = func(ctx context.Context, _ eventstore.Recorded) error {
		begin()
		<-ctx.Done()
		return ctx.Err()
	}
	dying.Config.Timeout = time.Minute
	stop = b.run(t, dying)
	<-began
	if got := letters(t, desk, deadletters.Filter{Status: deadletter.Retrying}); len(got) != 1 {
		t.Errorf("in the middle: %+v", got)
	}
	stop()
	b.run(t, effect)
	waitLetters(t, desk, deadletters.Filter{Status: deadletter.Handled}, 1)
	if got := o.times(did)["bad"]; got != 1 {
		t.Errorf("%d effects", got)
	}
}

func TestDeadLettersAreRetriedByFilter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	desk, o := newDesk(t, b), newOutside(bad)
	b.note(t, "bad", "worse")
	b.run(t, router.Effect{Name: "mail", Config: quick, Handle: o.handle})
	waitLetters(t, desk, deadletters.Filter{}, 2)
	if got := letters(t, desk, deadletters.Filter{Type: "Other"}); len(got) != 0 {
		t.Errorf("of another type: %+v", got)
	}
	o.set(nil)
	for range 2 { // the second finds nothing
		if _, _, err := desk.RetryAll(t.Context(), operator("c1"), "mail", deadletters.Filter{Stream: "note-worse"}); err != nil {
			t.Fatal(err)
		}
	}
	waitLetters(t, desk, deadletters.Filter{Status: deadletter.Handled}, 1)
	if diff := cmp.Diff(map[string]int{"worse": 1}, o.times(did)); diff != "" {
		t.Errorf("effects (-want +got)\n%s", diff)
	}
	if n, more, err := desk.RetryAll(t.Context(), operator("c2"), "mail", deadletters.Filter{Type: "Noted"}); n != 1 || more || err != nil {
		t.Errorf("retried %d, %v, %v", n, more, err)
	}
	waitLetters(t, desk, deadletters.Filter{Status: deadletter.Handled}, 2)
}

func TestAnEditedCopyIsHandled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	desk, o := newDesk(t, b), newOutside(bad)
	b.note(t, "bad")
	b.run(t, router.Effect{Name: "mail", Config: quick, Handle: o.handle})
	number := int64(waitLetters(t, desk, deadletters.Filter{}, 1)[0].Number)
	for _, data := range []string{`[]`, ``, `{"text": 1}`} {
		if err := desk.Edit(t.Context(), operator("c1"), "mail", number, []byte(data), "no_text"); !errors.Is(err, deadletter.ErrInvalid) {
			t.Errorf("%s: %v", data, err)
		}
	}
	if err := desk.Edit(t.Context(), operator("c2"), "mail", number, []byte(`{"text": "mended"}`), "no_text"); err != nil {
		t.Fatal(err)
	}
	letter := waitLetters(t, desk, deadletters.Filter{Status: deadletter.Handled}, 1)[0]
	if diff := cmp.Diff(map[string]int{"mended": 1}, o.times(did)); diff != "" {
		t.Errorf("effects (-want +got)\n%s", diff)
	}
	if string(letter.Data) != `{"text": "mended"}` || letter.Changes[0].Kind != "edited" || letter.Changes[0].Reason != "no_text" {
		t.Errorf("on record: %+v", letter)
	}
	if got := string(letter.Event.Data); got != `{"text":"bad"}` {
		t.Errorf("the event in the log is %s", got)
	}
}

// TestOrderIsKept has two events of one stream put aside by a handler that wants
// them in order.
func TestOrderIsKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	desk, o := newDesk(t, b), newOutside(bad)
	_, err := b.client.Append(t.Context(), "note-1", eventstore.NoStream,
		eventstore.NewEvent{ID: eventstore.EventID("note-1", "c", 0), Event: Noted{"bad"}},
		eventstore.NewEvent{ID: eventstore.EventID("note-1", "c", 1), Event: Noted{"worse"}})
	if err != nil {
		t.Fatal(err)
	}
	b.run(t, router.Effect{Name: "mail", Config: quick, Handle: o.handle, Ordered: true})
	all := waitLetters(t, desk, deadletters.Filter{}, 2)
	o.set(nil)
	if err := desk.Retry(t.Context(), operator("c1"), "mail", int64(all[1].Number)); err != nil {
		t.Fatal(err)
	}
	letter := waitLetters(t, desk, deadletters.Filter{Status: deadletter.Failed}, 1)[0]
	if got := letter.Errors[len(letter.Errors)-1].Error; got != deadletters.ErrEarly.Error() || len(o.times(did)) != 0 {
		t.Errorf("%s, and %v happened", got, o.times(did))
	}
	if _, _, err := desk.RetryAll(t.Context(), operator("c2"), "mail", deadletters.Filter{}); err != nil {
		t.Fatal(err)
	}
	waitLetters(t, desk, deadletters.Filter{Status: deadletter.Handled}, 2)
}

func TestWhatWasDiscardedIsNotMeasured(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	desk, o := newDesk(t, b), newOutside(bad)
	b.note(t, "bad", "worse")
	b.run(t, router.Effect{Name: "mail", Config: quick, Handle: o.handle})
	all := waitLetters(t, desk, deadletters.Filter{}, 2)
	if err := desk.Discard(t.Context(), operator("c1"), "mail", int64(all[0].Number), "test_order"); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	now := all[1].At.Add(time.Hour)
	registry.MustRegister(&router.Backlog{Client: b.client, DeadLetters: desk, Handlers: map[string][]string{"mail": {"Noted"}}, Now: func() time.Time { return now }})
	waitFor(t, "one is left, for an hour", func() bool {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, family := range families {
			got[family.GetName()] = family.GetMetric()[0].GetGauge().GetValue()
		}
		return got["waybill_effect_parked"] == 1 && got["waybill_effect_parked_oldest_seconds"] == time.Hour.Seconds()
	})
}
