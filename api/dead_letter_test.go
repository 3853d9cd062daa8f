package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/deadletters"
	"github.com/waybill-dev/waybill/handlers/effects/router"
	"github.com/waybill-dev/waybill/vault"
)

func TestAnOperatorLooksAfterDeadLetters(t *testing.T) {
	t.Parallel()
	var desk *deadletters.Desk
	var store *eventstore.Client
	p := startWith(t, func(a *api.API) {
		store = a.Store.(*eventstore.Client)
		desk = deadletters.New(store, must(vault.OpenKeyring(t.TempDir(), ""))(t), time.Now)
		a.DeadLetters, a.Effects = desk, []string{"email", "nobody"}
	})
	for _, id := range []string{"o1", "o2", "o3"} {
		if _, err := store.Append(t.Context(), "order-"+id, eventstore.Any, eventstore.NewEvent{ID: uuid.New(), Event: order.OrderRefundRequested{OrderID: id, RefundID: "r"}}); err != nil {
			t.Fatal(err)
		}
	}
	var mended atomic.Bool
	var handled atomic.Value // the edited copy
	r := must(router.New(router.Options{
		Client: store, DeadLetters: desk, Logger: p.logger, Now: time.Now, Random: func() float64 { return 0 },
		Effects: []router.Effect{{Name: "email", Types: []string{"OrderRefundRequested"}, Handle: func(_ context.Context, e eventstore.Recorded) error {
			if strings.Contains(string(e.Data), "edited") {
				handled.Store(string(e.Data))
				return nil
			}
			if mended.Load() {
				return nil
			}
			return effects.Permanent(errors.New("the template is broken"))
		}}},
	}))(t)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	var first client.Page[client.DeadLetter]
	eventually(t, "three are put aside", func() bool {
		all := must(c.DeadLetters(t.Context(), nil))(t)
		return len(all.Items) == 3
	})
	first = must(c.DeadLetters(t.Context(), url.Values{"limit": {"2"}}))(t)
	rest := must(c.DeadLetters(t.Context(), url.Values{"limit": {"2"}, "cursor": {first.Next}}))(t)
	if len(first.Items) != 2 || len(rest.Items) != 1 || rest.Next != "" {
		t.Fatalf("pages of %d and %d", len(first.Items), len(rest.Items))
	}
	l := first.Items[0]
	if l.Handler != "email" || l.Error != "the template is broken" || l.EventType != "OrderRefundRequested" || l.Attempts != 1 || l.ParkedAt.IsZero() {
		t.Errorf("listed: %+v", l)
	}
	p.post("/admin/dead-letters/fax/0/retry", ``).problem(404, "not-found")
	for _, row := range []struct {
		path, body string
		status     int
		slug       string
	}{
		{"email/999/retry", ``, 404, "dead-letter-not-found"},
		{"email/999/discard", `{"reason": "test_order"}`, 404, "dead-letter-not-found"},
		{"email/999/edit", `{"data": {"order_id": "o1"}, "reason": "wrong"}`, 404, "dead-letter-not-found"},
		{"fax/0/discard", `{"reason": "test_order"}`, 404, "not-found"},
		{"fax/0/edit", `{"data": {"order_id": "o1"}, "reason": "wrong"}`, 404, "not-found"},
		{"retry", `{"handler": "fax"}`, 404, "not-found"},
		{"email/0/edit", `{"data": "text", "reason": "wrong"}`, 422, "dead-letter-invalid"},
		{"email/0/edit", `{"data": {"order_id": 7}, "reason": "wrong"}`, 422, "dead-letter-invalid"},
		{"email/0/edit", `{"data": {"order_id": "o1"}, "reason": "Ann Smith"}`, 422, "dead-letter-invalid"},
		{"email/0/edit", `{"data": `, 400, "malformed-request"},
		{"retry", `{`, 400, "malformed-request"},
		{"email/none/retry", ``, 422, "invalid-request"},
	} {
		p.post("/admin/dead-letters/"+row.path, row.body).problem(row.status, row.slug)
	}
	p.get("/admin/dead-letters?cursor=nonsense").problem(400, "bad-cursor")
	p.get("/admin/dead-letters?handler=fax").problem(404, "not-found")
	p.get("/admin/dead-letters/fax/0").problem(404, "not-found")
	p.get("/admin/dead-letters/email/999").problem(404, "dead-letter-not-found")
	p.post("/admin/dead-letters/email/0/discard", `{"reason": "Ann Smith"}`).problem(422, "dead-letter-invalid")
	if d := must(c.DiscardDeadLetter(t.Context(), "email", l.Number, "", "test_order"))(t); d.Status != "discarded" || d.Changes[0].Reason != "test_order" || d.Changes[0].By == "" {
		t.Errorf("discarded: %+v", d)
	}
	p.post("/admin/dead-letters/email/0/retry", ``).problem(409, "dead-letter-closed")
	p.post("/admin/dead-letters/email/0/edit", `{"data": {"order_id": "o1", "refund_id": "r"}, "reason": "wrong"}`).problem(409, "dead-letter-closed")
	last := rest.Items[0].Number
	const exact = "9007199254740993" // which no floating point number is
	edited := json.RawMessage(`{"order_id": "o3", "refund_id": "edited", "amount": {"amount": ` + exact + `, "currency": "EUR"}}`)
	must(c.EditDeadLetter(t.Context(), "email", last, "edit-1", edited, "wrong_refund"))(t)
	keyIsForOneEdit := func() {
		t.Helper()
		must(c.EditDeadLetter(t.Context(), "email", last, "edit-1", edited, "wrong_refund"))(t)
		for reason, data := range map[string]string{"wrong_refund": `{"order_id": "o3", "refund_id": "other"}`, "other_reason": string(edited), "unreadable": `{"order_id": 7}`} {
			if _, err := c.EditDeadLetter(t.Context(), "email", last, "edit-1", json.RawMessage(data), reason); !problemIs(err, 422, "idempotency-key-reused") {
				t.Errorf("another edit under the key: %v", err)
			}
		}
	}
	keyIsForOneEdit()
	eventually(t, "the copy is handled", func() bool {
		return must(c.DeadLetter(t.Context(), "email", last))(t).Status == "handled"
	})
	if d := must(c.DeadLetter(t.Context(), "email", last))(t); !strings.Contains(string(d.EditedData), "edited") || !strings.Contains(string(d.EditedData), exact) || strings.Contains(string(d.Data), "edited") ||
		len(d.Changes) != 3 || d.Changes[0].Kind != "edited" || d.Changes[0].Reason != "wrong_refund" || d.Changes[0].By == "" {
		t.Errorf("edited: %+v, with the data %s", d, d.EditedData)
	}
	if got, _ := handled.Load().(string); !strings.Contains(got, exact) {
		t.Errorf("handled: %s, want the amount %s", got, exact)
	}
	keyIsForOneEdit() // now that it is closed, too
	if d := must(c.DeadLetter(t.Context(), "email", last))(t); len(d.Changes) != 3 {
		t.Errorf("repeats changed it: %+v", d.Changes)
	}
	must(c.DiscardDeadLetter(t.Context(), "email", l.Number, "discard-1", "test_order"))(t) // which it is
	if _, err := c.DiscardDeadLetter(t.Context(), "email", l.Number, "discard-1", "another_reason"); !problemIs(err, 422, "idempotency-key-reused") {
		t.Errorf("another reason under the key: %v", err)
	}
	mended.Store(true)
	must(c.RetryDeadLetter(t.Context(), "email", first.Items[1].Number, ""))(t)
	must(c.RetryDeadLetters(t.Context(), client.RetryDeadLetters{Handler: "email"}))(t)
	eventually(t, "both are handled", func() bool {
		return len(must(c.DeadLetters(t.Context(), url.Values{"status": {"handled"}}))(t).Items) == 2
	})
	if d := must(c.DeadLetter(t.Context(), "email", first.Items[1].Number))(t); len(d.Data) == 0 || len(d.Errors) != 1 || len(d.Changes) != 2 {
		t.Errorf("shown: %+v", d)
	}
}

func problemIs(err error, status int, slug string) bool {
	problem, refused := errors.AsType[*client.Problem](err)
	return refused && problem.Status == status && strings.HasSuffix(problem.Type, "/"+slug)
}
