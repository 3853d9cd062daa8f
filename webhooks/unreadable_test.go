package webhooks_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
	"github.com/waybill-dev/waybill/webhooks/signingkey"
)

// strange is a log with an event in it that cannot be read: what it holds is of
// another kind than the event has it. A program that was mended reads it.
type strange struct {
	*platform
	address string
}

func newStrange(t *testing.T) strange {
	t.Helper()
	address := nodetest.Start(t)
	p := platformOf(t, connect(t, address))
	p.config.Waits = slices.Repeat([]time.Duration{20 * time.Millisecond}, 10_000)
	// The text of an order is its channel, to endpoints of partners and to filters.
	p.catalogue.Fold = func(before *message.Attributes, e domain.Event) *message.Attributes {
		switch e := e.(type) {
		case placed:
			return &message.Attributes{Channel: e.Text}
		case mendedPlaced:
			return &message.Attributes{Channel: e.Text.String()}
		}
		return before
	}
	return strange{p, address}
}

// number is a text, or a number where somebody wrote one instead.
type number string

func (n *number) UnmarshalJSON(text []byte) error { *n = number(text); return nil }

func (n number) String() string { return string(n) }

type (
	mendedPlaced struct {
		Text number `json:"text"`
	}
	mendedNoted struct{ Number any }
)

func (mendedPlaced) EventName() string { return "OrderPlaced" }
func (mendedNoted) EventName() string  { return "OrderNoted" }

// mend gives those who start from then on a program that reads it.
func (s strange) mend() {
	s.tb.Helper()
	c, err := eventstore.NewCodec(append(domain.EventTypes(mendedPlaced{}, mendedNoted{}, hidden{}, shared{}), slices.Concat(endpoint.EventTypes(), signingkey.EventTypes())...)...)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.log = connectWith(s.tb, s.address, c)
}

// write appends events of an order: one whose content is given is written with
// that content.
func (s strange) write(order string, events ...eventstore.NewEvent) (ids []string) {
	s.tb.Helper()
	for i := range events {
		events[i].ID = eventstore.EventID("order-"+order, "test", i)
		ids = append(ids, events[i].ID.String())
	}
	if _, err := s.log.Append(s.tb.Context(), "order-"+order, eventstore.NoStream, events...); err != nil {
		s.tb.Fatal(err)
	}
	return ids
}

var (
	aPlaced     = eventstore.NewEvent{Event: placed{Text: "web"}}
	aNote       = eventstore.NewEvent{Event: noted{Number: 1}}
	brokenNote  = eventstore.NewEvent{Event: noted{}, Content: []byte(`{"Number":"one"}`)}
	brokenOrder = eventstore.NewEvent{Event: placed{}, Content: []byte(`{"text":7}`)}
)

func TestAnUnreadableEventHoldsUpItsOwnOrder(t *testing.T) {
	t.Parallel()
	s := newStrange(t)
	r := newReceiver(t, nil)
	created := s.endpoint(r.URL, "*")
	d := s.start()
	broken := s.write("broken", aPlaced, brokenNote, aNote)
	want := map[string][]string{"broken": broken[:1]}
	for i := range 20 {
		order := fmt.Sprint("o", i)
		want[order] = s.write(order, aPlaced, aNote)
	}
	eventually(t, "all others", func() bool { return r.count() == 41 })
	eventually(t, "the order to wait", func() bool {
		status, err := d.Status(t.Context(), created.ID)
		return err == nil && status.Parked == 2 && status.Dead == 0
	})
	if diff := cmp.Diff(want, r.accepted()); diff != "" {
		t.Errorf("while it cannot be read (-want +got):\n%s", diff)
	}
	if n := d.Unreadable(); n != 1 {
		t.Errorf("%d events are complained of", n)
	}
	waiting, err := d.Undelivered(t.Context(), ledger.Key{EndpointID: created.ID, RunID: ledger.Live}, 0, 10)
	if err != nil || len(waiting) != 2 || waiting[0].ID != broken[1] || waiting[0].Class != "message" {
		t.Errorf("undelivered: %v %+v", err, waiting)
	}
	if _, err := d.Message(t.Context(), created.ID, broken[1]); err != webhooks.ErrUnreadable { //nolint:errorlint // as it is
		t.Errorf("the message: %v", err)
	}
	d.stop()
	s.mend()
	s.start()
	want["broken"] = broken
	eventually(t, "what waited", func() bool { return r.count() == 43 })
	if diff := cmp.Diff(want, r.accepted()); diff != "" {
		t.Errorf("when it can be read (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1<null", "2<1", "3<2"}, r.numbers("broken")); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
}

func TestAnUnreadableEventIsGivenUpByWhoeverDecidesSo(t *testing.T) {
	t.Parallel()
	s := newStrange(t)
	r := newReceiver(t, nil)
	created := s.endpoint(r.URL, "*")
	d := s.start()
	broken := s.write("broken", aPlaced, brokenNote, aNote)
	eventually(t, "the order to wait", func() bool {
		status, err := d.Status(t.Context(), created.ID)
		return err == nil && status.Parked == 2
	})
	at, err := d.Locate(t.Context(), created.ID, broken[1])
	if err != nil {
		t.Fatal(err)
	}
	chosen := endpoint.Chosen{EventID: at.ID, Stream: at.Lane, Revision: uint64(at.Revision), Position: uint64(at.Position)} //nolint:gosec // not negative
	if _, err := d.Endpoints.Skip(t.Context(), webhooks.Request{ID: created.ID, Meta: meta()}, chosen); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is behind it", func() bool { return r.count() == 2 })
	if diff := cmp.Diff([]string{"1<null", "3<2"}, r.numbers("broken")); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
}

func TestAReplayGoesOnWithoutAnUnreadableEvent(t *testing.T) {
	t.Parallel()
	s := newStrange(t)
	r := newReceiver(t, nil)
	ids := s.write("broken", aPlaced, brokenNote, aNote)
	other := s.write("other", aPlaced, aNote)
	created := s.endpoint(r.URL, "*")
	d := s.start()
	done := s.completes(d, s.replay(d, created.ID, webhooks.NewReplay{From: webhooks.Beginning}))
	if done.Delivered != 4 || done.GivenUp != 1 {
		t.Errorf("replay %+v", done)
	}
	if diff := cmp.Diff(map[string][]string{"broken": {ids[0], ids[2]}, "other": other}, r.accepted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	d.stop()
	s.mend()
	d = s.start()
	done = s.completes(d, s.replay(d, created.ID, webhooks.NewReplay{From: webhooks.Beginning, Aggregate: "broken"}))
	if got := r.accepted()["broken"]; !slices.Contains(got, ids[1]) || done.Delivered != 3 || done.GivenUp != 0 {
		t.Errorf("what was given up does not come with the next one: %v, %+v", got, done)
	}
}

func TestAFeedGoesOnWithoutAnUnreadableEvent(t *testing.T) {
	t.Parallel()
	s := newStrange(t)
	d := s.started()
	ids := s.write("broken", aPlaced, brokenNote, aNote)
	other := s.write("other", aPlaced)
	want := []string{ids[0], "-" + ids[1], ids[2], other[0]}
	for _, most := range []int{500, 1} {
		var got []string
		for after := webhooks.Beginning; len(got) < len(want); {
			piece := s.pull(d, after, most, 10*time.Second, webhooks.Selection{})
			if after = piece.Through; len(piece.Messages) == 0 || len(piece.Messages) > most {
				t.Fatalf("%d messages", len(piece.Messages))
			}
			for _, m := range piece.Messages {
				if m.Skipped == nil {
					got = append(got, m.ID)
					continue
				}
				got = append(got, "-"+m.ID)
				about := webhooks.Skipped{
					ID: ids[1], Type: "order.noted", Aggregate: webhooks.Aggregate{Type: "order", ID: "broken"}, Sequence: 2, Cursor: m.Cursor, Reason: "unreadable",
				}
				if diff := cmp.Diff(about, *m.Skipped); diff != "" || m.Cursor == "" {
					t.Errorf("skipped (-want +got):\n%s", diff)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("at most %d (-want +got):\n%s", most, diff)
		}
	}
	if n := d.Unreadable(); n != 1 {
		t.Errorf("%d events are complained of", n)
	}
}

// TestNobodyGetsWhatMayBeSomebodyElses: whose an order is stands in its first
// event. As long as that cannot be read no partner is told of the order, and
// whoever may have it gets it afterwards.
func TestNobodyGetsWhatMayBeSomebodyElses(t *testing.T) {
	t.Parallel()
	s := newStrange(t)
	receivers := map[string]*receiver{}
	ids := map[string]string{}
	for name, n := range map[string]webhooks.NewEndpoint{
		"shop":           {},
		"its partner":    {TenantID: "p1", Channels: []string{"7"}},
		"other partner":  {TenantID: "p2", Channels: []string{"web"}},
		"filter for it":  {Settings: endpoint.Settings{Filter: `channel == "7"`}},
		"another filter": {Settings: endpoint.Settings{Filter: `channel == "web"`}},
	} {
		receivers[name] = newReceiver(t, nil)
		n.ID, n.URL, n.EventTypes = uuid.NewString(), receivers[name].URL, []string{"*"}
		if _, err := s.endpoints(nil).Create(t.Context(), n, meta()); err != nil {
			t.Fatal(err, mistakesOf(err))
		}
		ids[name] = n.ID
	}
	d := s.started()
	broken := s.write("broken", brokenOrder, aNote)
	web := s.write("web", aPlaced, aNote)
	got := func() map[string]map[string][]string {
		all := map[string]map[string][]string{}
		for name, r := range receivers {
			all[name] = r.accepted()
		}
		return all
	}
	theirs := map[string][]string{"web": web}
	before := map[string]map[string][]string{
		"shop": theirs, "its partner": {}, "other partner": theirs, "filter for it": {}, "another filter": theirs,
	}
	waits := map[string]int{"shop": 2, "filter for it": 2, "another filter": 2} // may it be wanted or not
	eventually(t, "all to be where they will stay", func() bool {
		for name, id := range ids {
			status, err := d.Status(t.Context(), id)
			if err != nil || status.Parked != waits[name] || status.Through < status.Head {
				return false
			}
		}
		return cmp.Equal(before, got())
	})
	for name, most := range map[string]int{"its partner": 0, "other partner": 2} {
		pulled := s.pull(d, webhooks.Beginning, 10, 0, webhooks.Selection{EndpointID: ids[name]})
		if len(pulled.Messages) != most {
			t.Errorf("the feed of %s has %d messages", name, len(pulled.Messages))
		}
		list, err := d.Undelivered(t.Context(), ledger.Key{EndpointID: ids[name], RunID: ledger.Live}, 0, 10)
		if err != nil || len(list) != 0 {
			t.Errorf("undelivered to %s: %v %v", name, err, list)
		}
		if n := s.passedOver(d, ids[name]); n != len(broken) {
			t.Errorf("the statement of %s speaks of %d places that it passes over, want %d", name, n, len(broken))
		}
	}
	if n := s.passedOver(d, ids["filter for it"]); n != 0 { // there they are listed
		t.Errorf("the shop's statement passes over %d places", n)
	}
	d.stop()
	s.mend()
	d = s.start()
	for _, id := range ids {
		s.completes(d, s.replay(d, id, webhooks.NewReplay{From: webhooks.Beginning, Only: endpoint.OnlyUndelivered}))
		eventually(t, "nothing to be passed over any more", func() bool { return s.passedOver(d, id) == 0 })
	}
	after := maps.Clone(before)
	after["shop"] = map[string][]string{"web": web, "broken": broken}
	after["its partner"] = map[string][]string{"broken": broken}
	after["filter for it"] = map[string][]string{"broken": broken}
	eventually(t, "everything that is theirs", func() bool {
		now := got()
		delete(now["another filter"], "broken") // who waited with it may get it, wanted or not
		return cmp.Equal(after, now)
	})
}

func TestMessagesOfAnAggregateWithAnUnreadableOne(t *testing.T) {
	t.Parallel()
	s := newStrange(t)
	ids := s.write("broken", aPlaced, brokenNote, aNote)
	messages := &webhooks.Messages{Store: s.log, Catalogue: s.catalogue, Cursors: s.cursors(), Now: time.Now}
	about := webhooks.Aggregate{Type: "order", ID: "broken"}
	after := 0
	for i, want := range []string{ids[0], "", ids[2]} {
		page, err := messages.Of(t.Context(), about, after, 1, webhooks.Viewer{}, "")
		if err != nil || len(page.Messages)+len(page.Skipped) != 1 || (len(page.Skipped) == 1) != (want == "") {
			t.Fatalf("page %d: %v %+v", i, err, page)
		}
		after = page.Next
	}
	if _, err := messages.One(t.Context(), about, 2, ids[1], webhooks.Viewer{}, ""); err != webhooks.ErrUnreadable { //nolint:errorlint // as it is
		t.Errorf("the message: %v", err)
	}
}

// passedOver counts the pieces of the log that a statement of delivery says
// nothing of.
func (s strange) passedOver(d *process, id string) int {
	s.tb.Helper()
	about, err := d.Endpoints.Own(s.tb.Context(), id, nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	statement, err := d.Statement(s.tb.Context(), about, "s1")
	if err != nil {
		s.tb.Fatal(err)
	}
	var body struct {
		Through    string
		PassedOver []struct{ After, Through string } `json:"passed_over"`
	}
	if err := json.Unmarshal(statement.Body, &body); err != nil {
		s.tb.Fatalf("%v: %s", err, statement.Body)
	}
	for _, span := range body.PassedOver {
		after, err := s.cursors().Decode(webhooks.ScopeOf(about.TenantID), span.After)
		if err != nil {
			s.tb.Fatal(err)
		}
		through, err := s.cursors().Decode(webhooks.ScopeOf(about.TenantID), span.Through)
		if err != nil || after >= through {
			s.tb.Errorf("from %d to %d, %v", after, through, err)
		}
	}
	return len(body.PassedOver)
}
