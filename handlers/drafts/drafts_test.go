package drafts_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	domaincatalog "github.com/waybill-dev/waybill/domain/catalog"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/domain/order"
	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/registry"
	"github.com/waybill-dev/waybill/gateways/sandbox"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/catalog"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/drafts"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/numbers"
	"github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/vault"
)

var errKilled = errors.New("the process ended")

type contact struct {
	Email string `json:"email"`
}

// shop is a store, a vault and a gateway, which outlive processes.
type shop struct {
	t       *testing.T
	store   *eventstore.Client
	vault   *vault.Vault
	gateway *sandbox.Server
	late    atomic.Int64 // how much later it is
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, store: handlertest.Start(t)}
	keys, err := vault.OpenKeyring("", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	if s.vault, err = vault.Open(t.Context(), filepath.Join(t.TempDir(), "vault.db"), keys); err != nil {
		t.Fatal(err)
	}
	s.gateway, err = sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Config{Ledger: filepath.Join(t.TempDir(), "ledger.db"), Delay: time.Minute, Now: s.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.gateway.Stop(context.WithoutCancel(t.Context()))
		_ = s.vault.Close()
	})
	return s
}

func (s *shop) now() time.Time { return time.Now().Add(time.Duration(s.late.Load())) }

// process is what one process has. Its work ends after so many steps.
type process struct {
	*drafts.Service
	steps  atomic.Int64
	killed atomic.Bool
}

type due []string

func (d due) Due(context.Context, time.Time) ([]checkout.Open, error) {
	open := make([]checkout.Open, len(d))
	for i, id := range d {
		open[i] = checkout.Open{CheckoutID: id, Step: domaincheckout.Started}
	}
	return open, nil
}

func (s *shop) process(steps int) *process {
	s.t.Helper()
	products, err := catalog.New(s.store, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	items, err := stock.NewWriter(stock.Config{Store: s.store, Now: time.Now})
	if err != nil {
		s.t.Fatal(err)
	}
	gateway := sandbox.Connect(sandbox.ClientConfig{URL: s.gateway.URL(), Protection: payment.Protection{Timeout: 5 * time.Second}, Now: s.now})
	s.t.Cleanup(gateway.Close)
	p := &process{}
	p.steps.Store(int64(steps))
	fault := func(string) error {
		if p.steps.Add(-1) < 0 {
			p.killed.Store(true)
			return errKilled
		}
		return nil
	}
	p.Service = &drafts.Service{Store: s.store, Vault: s.vault, Now: s.now, Fault: fault, Checkouts: &checkout.Service{
		Store: s.store, Pricer: checkout.Prices{Products: products}, Stock: items, Contacts: s.vault,
		Gateways: registry.New(map[string]payment.Provider{"sandbox": gateway}),
		Numbers:  &numbers.Allocator{Store: s.store, Tenant: "default", NewID: uuid.NewString}, Now: s.now, NewID: uuid.NewString, Fault: fault,
	}}
	return p
}

const forEver = 1 << 30

// offer registers a product with so many units.
func (s *shop) offer(sku string, units int) {
	s.t.Helper()
	p := s.process(forEver)
	products, err := catalog.New(s.store, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = products.Register(s.t.Context(), eventstore.Metadata{CommandID: "register " + sku}, domaincatalog.Register{
		SKU: sku, Title: sku, Prices: []domaincatalog.Price{{Money: domain.Money{Amount: 100, Currency: "EUR"}}}, At: s.now(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = p.Checkouts.Stock.Handle(s.t.Context(), eventstore.Metadata{CommandID: "receive " + sku}, stock.Item{Location: "main", SKU: sku},
		domainstock.Receive{Location: "main", SKU: sku, Quantity: units, Ref: "first"})
	if err != nil {
		s.t.Fatal(err)
	}
}

// open opens a draft of one unit.
func (s *shop) open(name, sku string) string {
	s.t.Helper()
	result, _, err := s.process(forEver).Open(s.t.Context(), eventstore.Metadata{CommandID: "open " + name, Fingerprint: "f"},
		draft.OpenDraft{Currency: "EUR", Lines: []draft.Line{{SKU: sku, Quantity: 1}}},
		drafts.Personal{Subject: "ada", Contact: contact{"ada@example.com"}})
	if err != nil {
		s.t.Fatal(err)
	}
	return result.State.DraftID
}

func request(id, name, method string) drafts.Place {
	return drafts.Place{DraftID: id, Meta: eventstore.Metadata{CommandID: name + id, Fingerprint: "of " + method}, Method: "sandbox:" + method}
}

// authorised counts what the gateway holds for the orders a draft may have
// come to.
func (s *shop) authorised(d draft.State) (n int) {
	s.t.Helper()
	entries, err := s.gateway.Entries(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, attempt := range d.Attempts {
		for i := range domaincheckout.MaxPayments {
			key := eventstore.DeriveIDBeside(s.orderOf(attempt.CheckoutID), "payment", fmt.Sprint(i+1))
			for _, e := range entries {
				if e.Key == key && e.Status == "authorised" {
					n++
				}
			}
		}
	}
	return n
}

// orderOf is the id of a checkout's order, which may not be there.
func (s *shop) orderOf(checkoutID string) string {
	s.t.Helper()
	c, _, err := eventstore.Load(s.t.Context(), s.store, domaincheckout.Decider, checkoutID)
	if err != nil {
		s.t.Fatal(err)
	}
	return c.OrderID
}

// expectOrder fails the test unless there is one order, paid once.
func (s *shop) expectOrder(id, when string) {
	s.t.Helper()
	d, err := s.process(forEver).Get(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	orders := 0
	for _, attempt := range d.State.Attempts {
		o, _, err := eventstore.Load(s.t.Context(), s.store, order.Decider, s.orderOf(attempt.CheckoutID))
		if err != nil {
			s.t.Fatal(err)
		}
		if o.Status != "" {
			orders++
			if o.OrderID != d.State.OrderID || o.CustomerID != "ada" {
				s.t.Errorf("%s: order %s of %s, and the draft has %q", when, o.OrderID, o.CustomerID, d.State.OrderID)
			}
		}
	}
	if n := s.authorised(d.State); d.State.Status != draft.Placed || orders != 1 || n != 1 {
		s.t.Errorf("%s: the draft is %s, %d orders, %d authorised", when, d.State.Status, orders, n)
	}
}

// TestADraftIsPlacedOnceWhateverIsInterrupted ends the process at every gap
// between two steps of placing a draft. Then the same request, another one, or
// a look at the draft comes, and recovery goes on: there is one order, found by
// the draft, and one payment.
func TestADraftIsPlacedOnceWhateverIsInterrupted(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.offer("MUG", 1_000)
	for _, then := range []string{"the same request", "another request", "a look", "a look much later"} {
		for gap := 0; ; gap++ {
			name := fmt.Sprintf("gap %d, %s", gap, then)
			id := s.open(name, "MUG")
			p := s.process(gap)
			_, err := p.Place(t.Context(), request(id, "first", "approved"))
			if p.killed.Load() != (err != nil) {
				t.Fatalf("%s: %v", name, err)
			}
			s.afterwards(id, then)
			if s.expectOrder(id, name); !p.killed.Load() {
				break
			}
			if t.Failed() {
				return
			}
		}
	}
}

// afterwards goes on in another process until there is an order.
func (s *shop) afterwards(id, then string) {
	s.t.Helper()
	s.late.Add(int64(20 * time.Second)) // interrupted by now
	next := s.process(forEver)
	again := "first"
	switch then {
	case "another request":
		again = "second"
	case "a look much later":
		s.late.Add(int64(2 * time.Minute))
		fallthrough
	case "a look":
		if _, err := next.Get(s.t.Context(), id); err != nil {
			s.t.Fatal(err)
		}
		again = "third"
	}
	for range 20 {
		d, err := next.Get(s.t.Context(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		recovery := checkout.Recovery{Service: next.Checkouts, Open: due{d.State.Last().CheckoutID}}
		if d.State.Status == draft.Placing {
			if err := recovery.Round(s.t.Context()); err != nil {
				s.t.Fatal(err)
			}
		}
		o, err := next.Place(s.t.Context(), request(id, again, "approved"))
		if err != nil {
			s.t.Fatal(err)
		}
		switch {
		case o.Checkout.Step == domaincheckout.Completed:
			return
		case errors.Is(refusedBy(o), domaincheckout.ErrAbandoned):
			again += "+" // a new request, as the refusal says
		}
		s.late.Add(int64(20 * time.Second))
	}
}

// TestAPlacementThatDidNotBeginIsWithdrawn races a process that slept before it
// began its checkout with the one that gave it up.
func TestAPlacementThatDidNotBeginIsWithdrawn(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.offer("MUG", 10)
	id := s.open("slow", "MUG")
	slow := s.process(forEver)
	slow.Fault = func(step string) error {
		if step != "begun" {
			return nil
		}
		s.late.Add(int64(2 * time.Minute))
		_, err := s.process(forEver).Do(t.Context(), id, eventstore.Metadata{CommandID: "two"}, nil, draft.SetLine{Line: draft.Line{SKU: "MUG", Quantity: 2}, At: s.now()})
		return err
	}
	o, err := slow.Place(t.Context(), request(id, "first", "approved"))
	if err != nil || !errors.Is(refusedBy(o), domaincheckout.ErrAbandoned) {
		t.Errorf("the slow one got %v, %v", o.Refused, err)
	}
	o, err = s.process(forEver).Place(t.Context(), request(id, "second", "approved"))
	if err != nil || o.Checkout.Step != domaincheckout.Completed || o.Order.Lines[0].Quantity != 2 {
		t.Errorf("then the draft came to %+v, %v", o, err)
	}
	s.expectOrder(id, "in the end")
}

func TestPlacedByManyAtOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.offer("MUG", 1_000)
	for round := range 5 {
		id := s.open(fmt.Sprint("round ", round), "MUG")
		var all sync.WaitGroup
		for i := range 6 {
			p := s.process(forEver)
			all.Go(func() {
				_, err := p.Place(t.Context(), request(id, fmt.Sprint("request ", i%3), "approved"))
				if err != nil && !errors.Is(err, eventstore.ErrConflict) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		s.expectOrder(id, "placed by six")
	}
}

// TestOpenedByTwoAtOnce: of two requests under one key one opens the draft, and
// the draft is as that one said, also what the vault keeps of it.
func TestOpenedByTwoAtOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.offer("MUG", 10)
	opens := func(p *process, key, fingerprint, email string) (drafts.Result, bool, error) {
		return p.Open(t.Context(), eventstore.Metadata{CommandID: key, Fingerprint: fingerprint},
			draft.OpenDraft{Currency: "EUR", Lines: []draft.Line{{SKU: "MUG", Quantity: 1}}},
			drafts.Personal{Subject: email, Contact: contact{email}})
	}
	for _, same := range []bool{true, false} {
		slow, fast := s.process(forEver), s.process(forEver)
		key, fingerprint, email := fmt.Sprint("same ", same), "of ada", "ada@example.com"
		var first drafts.Result
		slow.Fault = func(step string) (err error) { // while it is about to record
			if step != "kept" {
				return nil
			}
			if same {
				first, _, err = opens(fast, key, fingerprint, email)
			} else {
				first, _, err = opens(fast, key, "of bob", "bob@example.com")
			}
			return err
		}
		second, again, err := opens(slow, key, fingerprint, email)
		switch {
		case same && (err != nil || !again || second.State.DraftID != first.State.DraftID || second.Revision != first.Revision):
			t.Errorf("the same request: %+v, %v, %v", second, again, err)
		case !same && !errors.Is(err, domain.ErrKeyReused):
			t.Errorf("another request under the same key: %v", err)
		}
		kept, want := contact{}, first.State.Details.CustomerID
		if err := s.vault.Get(t.Context(), first.State.Details.ContactRef, &kept); err != nil || kept.Email != want {
			t.Errorf("the draft of %s has the contact %+v: %v", want, kept, err)
		}
	}
}

func TestAnotherPaymentAfterADecline(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.offer("MUG", 10)
	id := s.open("declined", "MUG")
	p := s.process(forEver)
	place := func(name, method string, want error) checkout.Outcome {
		t.Helper()
		o, err := p.Place(t.Context(), request(id, name, method))
		if err != nil || !errors.Is(refusedBy(o), want) {
			t.Fatalf("%s: %v, %v; want %v", name, o.Refused, err, want)
		}
		return o
	}
	declined := place("first", "declined", domaincheckout.ErrDeclined)
	place("first", "declined", domaincheckout.ErrDeclined)
	place("first", "approved", domain.ErrKeyReused)
	if _, err := p.Do(t.Context(), id, eventstore.Metadata{CommandID: "edit"}, nil, draft.RemoveLine{SKU: "MUG"}); !errors.Is(err, draft.ErrPlacing) {
		t.Errorf("changed while the goods are kept: %v", err)
	}
	paid := place("second", "approved", nil)
	if paid.Checkout.CheckoutID != declined.Checkout.CheckoutID {
		t.Error("the goods were reserved twice")
	}
	if again := place("second", "approved", nil); !again.Replayed || again.Order.OrderID != paid.Order.OrderID {
		t.Errorf("repeated: %+v", again)
	}
	place("second", "declined", domain.ErrKeyReused)
	place("third", "approved", nil)
	s.expectOrder(id, "paid after a decline")
}

// refusedBy is nil where nothing was refused.
func refusedBy(o checkout.Outcome) error {
	if o.Refused == nil {
		return nil
	}
	return o.Refused
}

func TestAfterAFailureTheDraftIsOpenAgain(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.offer("CUP", 1)
	id := s.open("short", "CUP")
	p := s.process(forEver)
	edit := func(name string, quantity int) {
		t.Helper()
		if _, err := p.Do(t.Context(), id, eventstore.Metadata{CommandID: name}, nil, draft.SetLine{Line: draft.Line{SKU: "CUP", Quantity: quantity}, At: s.now()}); err != nil {
			t.Fatal(err)
		}
	}
	edit("more", 2)
	o, err := p.Place(t.Context(), request(id, "first", "approved"))
	if err != nil || !errors.Is(refusedBy(o), domaincheckout.ErrOutOfStock) {
		t.Fatalf("%v, %v", o.Refused, err)
	}
	edit("less", 1)
	o, err = p.Place(t.Context(), request(id, "second", "approved"))
	if err != nil || o.Refused != nil {
		t.Fatalf("%v, %v", o.Refused, err)
	}
	if o, err = p.Place(t.Context(), request(id, "first", "approved")); err != nil || !errors.Is(refusedBy(o), domaincheckout.ErrOutOfStock) {
		t.Errorf("the first request is answered otherwise: %v, %v", o.Refused, err)
	}
	s.expectOrder(id, "after a failure")
}

func TestForgottenWithTheCustomer(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.offer("MUG", 10)
	for name, steps := range map[string]int{"open": -1, "begun": 1, "placed": forEver} {
		id := s.open(name, "MUG")
		if steps >= 0 {
			_, _ = s.process(steps-1).Place(t.Context(), request(id, "first", "approved"))
		}
		if err := s.process(forEver).Forget(t.Context(), id, "job"); err != nil {
			t.Fatal(err)
		}
		d, err := s.process(forEver).Get(t.Context(), id)
		want := draft.Discarded
		if name == "placed" {
			want = draft.Placed
		}
		if err != nil || d.State.Status != want {
			t.Errorf("%s: %s, %v", name, d.State.Status, err)
		}
	}
	if err := s.vault.Erase(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	p := s.process(forEver)
	meta := eventstore.Metadata{CommandID: "c", Fingerprint: "f"}
	empty, _, err := p.Open(t.Context(), meta, draft.OpenDraft{Currency: "EUR"}, drafts.Personal{})
	if err != nil {
		t.Fatal(err)
	}
	if _, again, err := p.Open(t.Context(), meta, draft.OpenDraft{Currency: "EUR"}, drafts.Personal{}); !again || err != nil {
		t.Errorf("repeated: %v %v", again, err)
	}
	id, other := empty.State.DraftID, eventstore.Revision(7)
	_, _, reused := p.Open(t.Context(), eventstore.Metadata{CommandID: "c", Fingerprint: "g"}, draft.OpenDraft{Currency: "EUR"}, drafts.Personal{})
	_, card := p.SetDetails(t.Context(), id, meta, nil, draft.Details{PaymentMethod: "4111111111111111"}, drafts.Personal{})
	_, missing := p.Get(t.Context(), "nobody's")
	_, revision := p.Do(t.Context(), id, meta, &other, draft.Discard{})
	_, nobody := p.Place(t.Context(), request(id, "first", "approved"))
	_, stale := p.Place(t.Context(), drafts.Place{DraftID: id, Meta: meta, Expected: &other})
	for name, got := range map[string][2]error{
		"another body": {reused, domain.ErrKeyReused}, "a card": {card, draft.ErrInvalid}, "missing": {missing, draft.ErrNotFound},
		"revision": {revision, handlers.ErrRevision}, "nobody's": {nobody, draft.ErrInvalid}, "stale": {stale, handlers.ErrRevision},
	} {
		if !errors.Is(got[0], got[1]) {
			t.Errorf("%s: %v, want %v", name, got[0], got[1])
		}
	}
}
