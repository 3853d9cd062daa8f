package gatewaycallbacks_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/domain"
	domaincatalog "github.com/waybill-dev/waybill/domain/catalog"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	callback "github.com/waybill-dev/waybill/domain/gatewaycallback"
	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/registry"
	"github.com/waybill-dev/waybill/gateways/sandbox"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/catalog"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/gatewaycallbacks"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/numbers"
	"github.com/waybill-dev/waybill/handlers/stock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

const secret = "a secret of the gateway"

// told is a callback on its way, signed by the gateway.
type told struct {
	header http.Header
	body   []byte
}

// world is a store, a gateway that tells, and a process.
type world struct {
	t         *testing.T
	store     eventstore.Store
	sandbox   *sandbox.Server
	gateway   payment.Provider
	checkouts *checkout.Service
	callbacks *gatewaycallbacks.Service
	passed    atomic.Int64
	tells     chan told
	// now, if set, takes a callback at once, while the gateway waits.
	now atomic.Pointer[func(told)]
}

func (w *world) time() time.Time         { return noon.Add(time.Duration(w.passed.Load())) }
func (w *world) advance(d time.Duration) { w.passed.Add(int64(d)) }

// ServeHTTP is where the gateway sends its callbacks.
func (w *world) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c := told{r.Header.Clone(), body}
	if now := w.now.Load(); now != nil {
		(*now)(c)
		return
	}
	w.tells <- c
}

// patience is how long a gateway's answer is waited for.
const patience = 200 * time.Millisecond

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: handlertest.Start(t), tells: make(chan told, 100)}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	var err error
	w.sandbox, err = sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Config{
		Ledger: filepath.Join(t.TempDir(), "ledger.db"), Delay: time.Minute, Now: w.time, CallbackURL: server.URL, CallbackSecret: secret, TellAll: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.sandbox.Stop(context.WithoutCancel(t.Context())) })
	client := sandbox.Connect(sandbox.ClientConfig{URL: w.sandbox.URL(), Protection: payment.Protection{Timeout: 5 * time.Second}, Secret: secret, Now: w.time})
	t.Cleanup(client.Close)
	w.gateway = client
	products, err := catalog.New(w.store, 0)
	if err != nil {
		t.Fatal(err)
	}
	items, err := stock.NewWriter(stock.Config{Store: w.store, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	gateways := registry.New(map[string]payment.Provider{"sandbox": client, "other": client})
	w.checkouts = &checkout.Service{
		Store: w.store, Pricer: checkout.Prices{Products: products}, Stock: items, Gateways: gateways,
		Numbers: &numbers.Allocator{Store: w.store, Tenant: "default", NewID: uuid.NewString},
		Config:  checkout.Config{GatewayTimeout: patience}, Now: w.time, NewID: uuid.NewString,
	}
	w.callbacks = w.process()
	meta := eventstore.Metadata{CommandID: "offer"}
	price := domaincatalog.Price{Money: domain.Money{Amount: 1250, Currency: "EUR"}}
	if _, err := products.Register(t.Context(), meta, domaincatalog.Register{SKU: "A", Title: "A", Prices: []domaincatalog.Price{price}, At: noon}); err != nil {
		t.Fatal(err)
	}
	receive := domainstock.Receive{Location: "main", SKU: "A", Quantity: 100, Ref: "delivery"}
	if _, err := items.Handle(t.Context(), meta, stock.Item{Location: "main", SKU: "A"}, receive); err != nil {
		t.Fatal(err)
	}
	return w
}

// process is one that takes callbacks in.
func (w *world) process() *gatewaycallbacks.Service {
	return gatewaycallbacks.New(gatewaycallbacks.Service{
		Store: w.store, Gateways: w.checkouts.Gateways, Checkouts: w.checkouts, Timeout: 5 * time.Second, Now: w.time, Logger: slog.New(slog.DiscardHandler),
	})
}

// place places an order of one unit.
func (w *world) place(key, method string) checkout.Outcome {
	w.t.Helper()
	o, err := w.checkouts.Place(w.t.Context(), cart(key, method))
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// next is the next callback the gateway sends.
func (w *world) next() told {
	w.t.Helper()
	select {
	case c := <-w.tells:
		return c
	case <-time.After(10 * time.Second):
		w.t.Fatal("the gateway tells nothing")
	}
	return told{}
}

// receive takes a callback in.
func (w *world) receive(c told) string {
	w.t.Helper()
	id, err := w.callbacks.Receive(w.t.Context(), "sandbox", c.header, c.body)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// apply takes a callback in and does what it tells.
func (w *world) apply(c told) callback.State {
	w.t.Helper()
	id := w.receive(c)
	if err := w.callbacks.Apply(w.t.Context(), id); err != nil {
		w.t.Fatal(err)
	}
	return w.callback(id)
}

// wantKnown takes in a callback that tells nothing new: nothing is stored.
func (w *world) wantKnown(c told) {
	w.t.Helper()
	if id := w.receive(c); id != "" {
		w.t.Errorf("stored as %s, want nothing stored", id)
	}
}

func (w *world) callback(id string) callback.State { return load(w, callback.Decider, id) }

func (w *world) payment(id string) domainpayment.State { return load(w, domainpayment.Decider, id) }

func (w *world) checkout(id string) domaincheckout.State {
	s := load(w, domaincheckout.Decider, id)
	if s.Step == domaincheckout.Authorised && load(w, domainorder.Decider, s.OrderID).Status != "" {
		s.Step = domaincheckout.Completed // the order says so
	}
	return s
}

func load[S, C any, E domain.Event](w *world, d domain.Decider[S, C, E], id string) S {
	w.t.Helper()
	state, _, err := eventstore.Load(w.t.Context(), w.store, d, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return state
}

// do records something in a payment, as who moves money does.
func (w *world) do(id string, command domainpayment.Command) {
	w.t.Helper()
	h := handlers.CommandHandler[domainpayment.State, domainpayment.Command, domainpayment.Event]{Store: w.store, Decider: domainpayment.Decider}
	if _, err := h.Handle(w.t.Context(), id, eventstore.Metadata{CommandID: uuid.NewString()}, command); err != nil {
		w.t.Fatal(err)
	}
}

// held is what the gateway has under a key.
func (w *world) held(key string) string {
	w.t.Helper()
	entries, err := w.sandbox.Entries(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Key == key {
			return e.Status
		}
	}
	return ""
}

// waiting is a to-do list without lag.
type waiting struct {
	mu  sync.Mutex
	w   *world
	ids []string
}

func (l *waiting) Waiting(ctx context.Context) (items []gatewaycallbacks.Item, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.ids {
		s, _, err := eventstore.Load(ctx, l.w.store, callback.Decider, id)
		if err != nil {
			return nil, err
		}
		if s.Open() {
			items = append(items, gatewaycallbacks.Item{ID: id, ReceivedAt: s.Received.ReceivedAt})
		}
	}
	return items, nil
}

func (w *world) sweeper(ids ...string) *gatewaycallbacks.Sweeper {
	return &gatewaycallbacks.Sweeper{Service: w.process(), Waiting: &waiting{w: w, ids: ids}}
}

func (c told) tampered() told {
	return told{c.header, bytes.Replace(c.body, []byte("authorised"), []byte("declined"), 1)}
}

var (
	errStopped   = errors.New("the process ends")
	errGateway   = gatewaycallbacks.ErrGateway
	errSignature = gatewaycallbacks.ErrSignature
)

// stopAt ends a process at a step.
func stopAt(at string) func(string) error {
	return func(step string) error {
		if step == at {
			return errStopped
		}
		return nil
	}
}

// cart is an order of one unit.
func cart(key, method string) checkout.Place {
	return checkout.Place{
		Credential: "key-1", Key: key, Fingerprint: method, Actor: eventstore.Actor{Type: "api_key", ID: "key-1"},
		Cart: domaincheckout.Request{
			CustomerID: "u", Currency: "EUR", Method: method, ReturnURL: "https://shop.example",
			Lines: []domaincheckout.RequestLine{{SKU: "A", Quantity: 1}},
		},
	}
}

func checkoutID(p checkout.Place) string { return checkout.ID(p.Credential, p.Key) }
