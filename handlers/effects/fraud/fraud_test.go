package fraud_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	gateway "github.com/waybill-dev/waybill/gateways/fraud"
	"github.com/waybill-dev/waybill/gateways/remote"
	"github.com/waybill-dev/waybill/handlers/effects/effectstest"
	"github.com/waybill-dev/waybill/handlers/effects/fraud"
	"github.com/waybill-dev/waybill/vault"
)

// checker is a system that decides what it is told to, and remembers by key.
type checker struct {
	*gateway.Client

	mu      sync.Mutex
	status  int
	decide  gateway.Decision
	checks  map[string]gateway.Check
	decided map[string]gateway.Decision
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	c := &checker{decide: gateway.Accept, checks: map[string]gateway.Check{}, decided: map[string]gateway.Decision{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.Client = gateway.Connect(remote.Config{URL: server.URL, Timeout: time.Minute})
	t.Cleanup(c.Close)
	return c
}

func (c *checker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status != 0 {
		w.WriteHeader(c.status)
		return
	}
	var check gateway.Check
	if err := json.NewDecoder(r.Body).Decode(&check); err != nil || r.URL.Path != "/checks" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	c.checks[key] = check
	if c.decided[key] == "" {
		c.decided[key] = c.decide
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(gateway.Verdict{Decision: c.decided[key], Reasons: []string{"proxy"}})
}

func open(t *testing.T, e databasetest.Engine) *database.DB {
	t.Helper()
	path := "fraud.db"
	if e.Server == nil {
		path = filepath.Join(e.Dir, path)
	}
	db, err := database.Open(t.Context(), database.Config{Path: path, Server: e.Server, Migrations: fraud.Migrations()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func service(t *testing.T, w *effectstest.Town, cfg fraud.Config) *fraud.Service {
	t.Helper()
	return &fraud.Service{Store: w.Store, People: w.Vault, DB: open(t, databasetest.SQLite(t)), Config: cfg, Now: time.Now}
}

func (s *suspects) handle(t *testing.T, events ...eventstore.Recorded) {
	t.Helper()
	for _, e := range events {
		if err := s.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

type suspects struct{ *fraud.Service }

// state is an order as it is now.
func state(t *testing.T, w *effectstest.Town, id string) order.State {
	t.Helper()
	s, _, err := eventstore.Load(t.Context(), w.Store, order.Decider, id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func place(w *effectstest.Town, id, customer string, at time.Time, change func(*order.OrderPlaced)) eventstore.Recorded {
	o := effectstest.Placed(id, "1", customer)
	o.PlacedAt = at
	if change != nil {
		change(&o)
	}
	w.Record("order-"+id, o)
	return w.Events("order-" + id)[0]
}

func TestRulesHoldWhatLooksLikeFraud(t *testing.T) {
	t.Parallel()
	cfg := fraud.Config{Amounts: map[string]int64{"EUR": 5235}, Mismatch: true}
	for name, row := range map[string]struct {
		change func(*order.OrderPlaced)
		held   bool
	}{
		"an amount":            {nil, true},
		"less than the amount": {func(o *order.OrderPlaced) { o.Totals.Grand.Amount-- }, false},
		"another currency": {func(o *order.OrderPlaced) {
			o.Totals.Grand, o.Currency = domain.Money{Amount: 9999, Currency: "GBP"}, "GBP"
		}, false},
		"a bill to another country":    {func(o *order.OrderPlaced) { o.Totals.Grand.Amount, o.BillToRef = 1, "french" }, true},
		"a bill to the same":           {func(o *order.OrderPlaced) { o.Totals.Grand.Amount, o.BillToRef = 1, "british" }, false},
		"a bill to where nobody knows": {func(o *order.OrderPlaced) { o.Totals.Grand.Amount, o.BillToRef = 1, "erased" }, false},
		"an amount that was paid elsewhere": {func(o *order.OrderPlaced) {
			o.External = order.External{Source: "old", Ref: "1", Time: effectstest.Noon()}
		}, false},
	} {
		w := effectstest.NewTown(t)
		effectstest.Keep(t, w.Vault, "ada", "contact-o", vault.Contact{Email: "a@example.com"})
		effectstest.Keep(t, w.Vault, "ada", "ship-o", vault.Address{Country: "GB"})
		effectstest.Keep(t, w.Vault, "ada", "french", vault.Address{Country: "FR"})
		effectstest.Keep(t, w.Vault, "ada", "british", vault.Address{Country: "GB"})
		effectstest.Keep(t, w.Vault, "eve", "erased", vault.Address{Country: "FR"})
		if err := w.Vault.Erase(t.Context(), "eve"); err != nil {
			t.Fatal(err)
		}
		s := &suspects{service(t, w, cfg)}
		s.handle(t, place(w, "o", "ada", effectstest.Noon(), row.change))
		o := state(t, w, "o")
		if held := o.Status == order.StatusOnHold; held != row.held || held && o.Holds[0].Reason != order.HoldFraud {
			t.Errorf("%s: %s, %v", name, o.Status, o.Holds)
		}
	}
}

func TestTooManyOrdersAreHeldInWhicheverOrderTheyCome(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		// Minutes after noon, of one customer; three in an hour are usual.
		minutes := []int{0, 10, 20, 30, 59, 61, 200, 201}
		want := []string{"o30", "o59", "o61"}
		for _, reversed := range []bool{false, true} {
			w := effectstest.NewTown(t)
			s := &suspects{service(t, w, fraud.Config{Orders: 3})}
			s.DB = open(t, e.Another(t))
			var events []eventstore.Recorded
			for _, m := range minutes {
				events = append(events, place(w, fmt.Sprint("o", m), "ada", effectstest.Noon().Add(time.Duration(m)*time.Minute), nil))
			}
			events = append(events, place(w, "bob's", "bob", effectstest.Noon(), nil), place(w, "guest's", "", effectstest.Noon(), nil))
			if reversed {
				slices.Reverse(events)
			}
			s.handle(t, events...)
			s.handle(t, events...)
			var held []string
			for _, m := range minutes {
				if id := fmt.Sprint("o", m); state(t, w, id).Status == order.StatusOnHold {
					held = append(held, id)
				}
			}
			if diff := cmp.Diff(want, held); diff != "" {
				t.Errorf("reversed %v (-want +got):\n%s", reversed, diff)
			}
		}
	})
}

func TestASystemOfSomebodyElsesDecides(t *testing.T) {
	t.Parallel()
	w := effectstest.NewTown(t)
	s, c := &suspects{service(t, w, fraud.Config{Fallback: gateway.Accept})}, newChecker(t)
	s.Checker = c
	s.handle(t, place(w, "good", "ada", effectstest.Noon(), nil))
	c.decide = gateway.Review
	bad := place(w, "bad", "ada", effectstest.Noon().Add(time.Minute), nil)
	s.handle(t, bad)
	if got := []order.Status{state(t, w, "good").Status, state(t, w, "bad").Status}; got[0] != order.StatusPlaced || got[1] != order.StatusOnHold {
		t.Errorf("%v", got)
	}
	if check := c.checks["fraud:bad"]; check.Recent != 1 || check.Total.Amount != 5235 || len(check.Lines) != 2 || check.ShipTo != "GB" {
		t.Errorf("asked %+v", check)
	}
	// What was decided stays decided: a person released it, and it comes again.
	c.status = http.StatusServiceUnavailable
	w.Record("order-bad", order.OrderHoldReleased{OrderID: "bad", By: "clerk"})
	s.handle(t, bad)
	if o := state(t, w, "bad"); o.Status != order.StatusPlaced {
		t.Errorf("held again: %s", o.Status)
	}
}

func TestASystemThatIsAwayIsAskedUntilTheOrderMustNotWait(t *testing.T) {
	t.Parallel()
	for fallback, want := range map[gateway.Decision]order.Status{"": order.StatusOnHold, gateway.Review: order.StatusOnHold, gateway.Accept: order.StatusPlaced} {
		w := effectstest.NewTown(t)
		s, c := &suspects{service(t, w, fraud.Config{Fallback: fallback})}, newChecker(t)
		c.status, s.Checker = http.StatusServiceUnavailable, c
		e := place(w, "o", "ada", effectstest.Noon(), nil)
		now := e.Created.Add(5*time.Minute - 1)
		s.Now = func() time.Time { return now }
		if err := s.Handle(t.Context(), e); !errors.Is(err, remote.ErrAway) || state(t, w, "o").Status != order.StatusPlaced {
			t.Errorf("too early: %v", err)
		}
		now = now.Add(1)
		s.handle(t, e)
		c.status, c.decide = 0, gateway.Review // too late: it was decided without
		if fallback != gateway.Accept {
			c.decide = gateway.Accept
		}
		s.handle(t, e)
		if got := state(t, w, "o").Status; got != want {
			t.Errorf("fallback %q: %s", fallback, got)
		}
	}
}

func TestALateVerdictIsStillRight(t *testing.T) {
	t.Parallel()
	units := []order.Units{{LineID: "1", Quantity: 3}, {LineID: "2", Quantity: 2}}
	for name, row := range map[string]struct {
		meanwhile []domain.Event
		status    order.Status
		tagged    bool
	}{
		"partly shipped": {[]domain.Event{order.OrderShipped{OrderID: "o", ShipmentID: "s", Lines: units[:1]}}, order.StatusOnHold, false},
		"shipped":        {[]domain.Event{order.OrderShipped{OrderID: "o", ShipmentID: "s", Lines: units}}, order.StatusShipped, true},
		"cancelling":     {[]domain.Event{order.OrderCancelRequested{OrderID: "o", RequestID: "c", Reason: "customer", By: "a"}}, order.StatusCancelling, true},
		"cancelled": {[]domain.Event{
			order.OrderCancelRequested{OrderID: "o", RequestID: "c", Reason: "customer", By: "a"}, order.OrderCancelled{OrderID: "o", Lines: units},
		}, order.StatusCancelled, true},
		"held by a person": {[]domain.Event{order.OrderHeld{OrderID: "o", HoldID: "h", Reason: order.HoldManual}}, order.StatusOnHold, false},
	} {
		w := effectstest.NewTown(t)
		s := &suspects{service(t, w, fraud.Config{Amounts: map[string]int64{"EUR": 1}})}
		e := place(w, "o", "ada", effectstest.Noon(), nil)
		w.Record("order-o", row.meanwhile...)
		s.handle(t, e, e)
		o := state(t, w, "o")
		if o.Status != row.status || slices.Contains(o.Tags, fraud.LateTag) != row.tagged {
			t.Errorf("%s: %s, tags %v", name, o.Status, o.Tags)
		}
		if held := slices.ContainsFunc(o.Holds, func(h order.OrderHeld) bool { return h.Reason == order.HoldFraud }); held == row.tagged {
			t.Errorf("%s: holds %v", name, o.Holds)
		}
	}
}

func TestHoweverOrdersComeTheHoldsAreThose(t *testing.T) {
	t.Parallel()
	_, events := effectstest.NewHistory(t)
	effectstest.OneEffect(t, events, func(t *testing.T) effectstest.Outside {
		t.Helper()
		w, _ := effectstest.NewHistory(t)
		s, c := service(t, w, fraud.Config{Orders: 1, Amounts: map[string]int64{"EUR": 5235}, Mismatch: true}), newChecker(t)
		c.decide, s.Checker = gateway.Review, c
		return effectstest.Outside{Handle: s.Handle, Effect: func() any {
			all := map[string][]string{}
			for _, id := range []string{"o1", "o2", "o3", "o4", "o5"} {
				for _, e := range w.Events("order-" + id) {
					all[id] = append(all[id], e.ID.String()+" "+e.Type)
				}
			}
			return all
		}}
	})
}
