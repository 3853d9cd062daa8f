package checkout_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/domain"
	domaincatalog "github.com/waybill-dev/waybill/domain/catalog"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/registry"
	"github.com/waybill-dev/waybill/gateways/sandbox"
	"github.com/waybill-dev/waybill/handlers/catalog"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/numbers"
	"github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/node/nodetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// clock is the time of one test.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time          { return noon.Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// world is a store and a gateway, which outlive processes.
type world struct {
	address string
	sandbox *sandbox.Server
	patient time.Duration // with the gateway
	// store, if set, is the connection that all processes share.
	store    eventstore.Store
	contacts *contacts // if set, keep personal data for all processes
	// clock is that of the gateway.
	clock *clock
	told  *told
}

// secret signs the gateway's callbacks.
const secret = "whsec_test"

// told keeps the callbacks of the gateway until a test takes them.
type told struct {
	mu    sync.Mutex
	kept  []*http.Request
	news  chan struct{}
	first func(*http.Request) // if set, is given each callback at once instead
}

// ServeHTTP implements [http.Handler].
func (h *told) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.mu.Lock()
	first := h.first
	if first == nil {
		h.kept = append(h.kept, r)
	}
	h.mu.Unlock()
	if first != nil {
		first(r)
	}
	select {
	case h.news <- struct{}{}:
	default:
	}
}

func newWorld(tb testing.TB, dir string) *world {
	tb.Helper()
	hears := &told{news: make(chan struct{}, 1)}
	server := httptest.NewServer(hears)
	tb.Cleanup(server.Close)
	c := &clock{}
	s, err := sandbox.Listen(tb.Context(), "127.0.0.1:0", sandbox.Config{
		Ledger: filepath.Join(tb.TempDir(), "ledger.db"), Delay: time.Minute, Now: c.now,
		CallbackURL: server.URL, CallbackSecret: secret, TellAll: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Stop(context.WithoutCancel(tb.Context())) })
	return &world{
		address: nodetest.New(tb, nodetest.Config{Dir: dir}).ConnectionString(), sandbox: s, patient: 10 * time.Second,
		clock: c, told: hears,
	}
}

// ledger returns what the gateway holds under a payment's key: "" is nothing.
func (w *world) ledger(tb testing.TB, key string) (status string, asked int) {
	tb.Helper()
	entries, err := w.sandbox.Entries(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range entries {
		if e.Key == key {
			return e.Status, e.Asked
		}
	}
	return "", 0
}

// process is what one process has.
type process struct {
	*checkout.Service
	catalog *catalog.Catalog
	writer  *stock.Writer
}

// impatient is how long to wait for answers that come too late.
const impatient = 150 * time.Millisecond

func (w *world) process(tb testing.TB, c *clock) *process {
	tb.Helper()
	if w.store != nil {
		return w.processOn(tb, c, w.store)
	}
	return w.processOn(tb, c, handlertest.Connect(tb, w.address))
}

func (w *world) processOn(tb testing.TB, c *clock, store eventstore.Store) *process {
	tb.Helper()
	products, err := catalog.New(store, 0)
	if err != nil {
		tb.Fatal(err)
	}
	items, err := stock.NewWriter(stock.Config{Store: store, Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	gateway := sandbox.Connect(sandbox.ClientConfig{
		URL: w.sandbox.URL(), Protection: payment.Protection{Timeout: w.patient}, Secret: secret, Now: w.clock.now,
	})
	tb.Cleanup(gateway.Close)
	p := &process{
		Service: &checkout.Service{
			Store: store, Pricer: checkout.Prices{Products: products}, Stock: items, Gateways: only(gateway),
			Numbers: &numbers.Allocator{Store: store, Tenant: "default", NewID: uuid.NewString},
			Now:     c.now, NewID: uuid.NewString,
		},
		catalog: products, writer: items,
	}
	if w.contacts != nil {
		p.Contacts = w.contacts
	}
	return p
}

// only is a registry with nothing but the sandbox.
func only(gateway payment.Provider) *registry.Registry {
	return registry.New(map[string]payment.Provider{"sandbox": gateway})
}

// wrap puts something before the gateway.
func (p *process) wrap(tb testing.TB, wrapper func(payment.Provider) payment.Provider) {
	tb.Helper()
	gateway, err := p.Gateways.Provider("sandbox")
	if err != nil {
		tb.Fatal(err)
	}
	p.Gateways = only(wrapper(gateway))
}

// offer registers a product of 12.50 EUR and receives stock.
func (p *process) offer(tb testing.TB, sku string, units int) {
	tb.Helper()
	meta := eventstore.Metadata{CommandID: "offer " + sku}
	price := domaincatalog.Price{Money: domain.Money{Amount: 1250, Currency: "EUR"}}
	_, err := p.catalog.Register(tb.Context(), meta, domaincatalog.Register{SKU: sku, Title: sku, Prices: []domaincatalog.Price{price}, At: noon})
	if err != nil {
		tb.Fatal(err)
	}
	if units == 0 {
		return
	}
	receive := domainstock.Receive{Location: "main", SKU: sku, Quantity: units, Ref: "delivery"}
	if _, err := p.writer.Handle(tb.Context(), meta, stock.Item{Location: "main", SKU: sku}, receive); err != nil {
		tb.Fatal(err)
	}
}

// buy places an order for two of five.
func (p *process) buy(tb testing.TB, method string) checkout.Outcome {
	tb.Helper()
	p.offer(tb, "A", 5)
	o, err := p.Place(tb.Context(), place("k", method, line("A", 2)))
	return must(tb, o, err)
}

func (p *process) item(tb testing.TB, sku string) domainstock.State {
	tb.Helper()
	state, _, err := eventstore.Load(tb.Context(), p.Store, domainstock.Decider, stockID(sku))
	if err != nil {
		tb.Fatal(err)
	}
	return state
}

func stockID(sku string) string { return domainstock.ID("main", sku) }

func line(sku string, quantity int) domaincheckout.RequestLine {
	return domaincheckout.RequestLine{SKU: sku, Quantity: quantity}
}

func place(key, method string, lines ...domaincheckout.RequestLine) checkout.Place {
	return checkout.Place{
		Credential: "key-1", Key: key, Fingerprint: "f " + method, Actor: eventstore.Actor{Type: "api_key", ID: "key-1"},
		Cart: domaincheckout.Request{CustomerID: "u", Currency: "EUR", Method: method, Lines: lines},
	}
}

// open lists checkouts as a read model does, but without lag.
type open struct {
	store eventstore.Store
	mu    sync.Mutex
	ids   []string
}

func (o *open) Due(ctx context.Context, _ time.Time) ([]checkout.Open, error) {
	o.mu.Lock()
	ids := slices.Clone(o.ids)
	o.mu.Unlock()
	var all []checkout.Open
	for _, id := range ids {
		s, _, err := eventstore.Load(ctx, o.store, domaincheckout.Decider, id)
		if err != nil {
			return nil, err
		}
		if s.Step == domaincheckout.Authorised { // over when the order is there
			placed, _, err := eventstore.Load(ctx, o.store, domainorder.Decider, s.OrderID)
			if err != nil || placed.Status != "" {
				continue
			}
		}
		if s.Step.Open() || s.Watch != "" && !s.LateVoided {
			all = append(all, checkout.Open{CheckoutID: id, Step: s.Step, LastAt: s.ChangedAt, DueAt: s.RetryUntil})
		}
	}
	return all, nil
}

func (p *process) recovery(ids ...string) *checkout.Recovery {
	return &checkout.Recovery{Service: p.Service, Open: &open{store: p.Store, ids: ids}}
}

// orderOf is the id of a checkout's order, which may not be there yet; empty
// before the checkout is there.
func orderOf(t *testing.T, store eventstore.Store, id string) string {
	t.Helper()
	state, _, err := eventstore.Load(t.Context(), store, domaincheckout.Decider, id)
	if err != nil {
		t.Fatal(err)
	}
	return state.OrderID
}

// paymentOf is the id of a payment that a checkout may come to.
func paymentOf(t *testing.T, store eventstore.Store, id string, attempt int) string {
	t.Helper()
	return eventstore.DeriveIDBeside(orderOf(t, store, id), "payment", strconv.Itoa(attempt))
}
