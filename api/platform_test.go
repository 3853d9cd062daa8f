package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/checkoutfailure"
	"github.com/waybill-dev/waybill/domain/creditnote"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/deadletter"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/domain/gatewaycallback"
	"github.com/waybill-dev/waybill/domain/idempotency"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/domain/numbers"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	gateways "github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/registry"
	"github.com/waybill-dev/waybill/gateways/sandbox"
	"github.com/waybill-dev/waybill/gateways/warehouse"
	catalogs "github.com/waybill-dev/waybill/handlers/catalog"
	checkouts "github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/creditnotes"
	"github.com/waybill-dev/waybill/handlers/customers"
	"github.com/waybill-dev/waybill/handlers/drafts"
	"github.com/waybill-dev/waybill/handlers/effects/receipt"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
	"github.com/waybill-dev/waybill/handlers/gatewaycallbacks"
	"github.com/waybill-dev/waybill/handlers/jobs"
	counter "github.com/waybill-dev/waybill/handlers/numbers"
	"github.com/waybill-dev/waybill/handlers/orders"
	stocks "github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
	"github.com/waybill-dev/waybill/tracing/logtest"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/callback"
	"github.com/waybill-dev/waybill/webhooks/cursor"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/guard"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
	"github.com/waybill-dev/waybill/webhooks/signingkey"
)

const adminKey = "the-admin-key-of-the-tests"

// platform is an installation in one process: real handlers on a real node.
type platform struct {
	t      *testing.T
	node   *nodetest.Node
	store  *eventstore.Client
	keys   *access.Keys
	vault  *vault.Vault
	log    *logtest.Journal
	logger *slog.Logger
	url    string

	gateway *sandbox.Server
}

func events() []domain.EventType {
	return slices.Concat(
		apikey.EventTypes(), catalog.EventTypes(), stock.EventTypes(), creditnote.EventTypes(),
		order.EventTypes(), checkout.EventTypes(), checkoutfailure.EventTypes(), payment.EventTypes(), process.EventTypes(), numbers.EventTypes(), endpoint.EventTypes(), signingkey.EventTypes(),
		customer.EventTypes(), draft.EventTypes(), job.EventTypes(),
		gatewaycallback.EventTypes(), idempotency.EventTypes(), deadletter.EventTypes(),
	)
}

func start(t *testing.T) *platform {
	t.Helper()
	return startWith(t, func(*api.API) {})
}

func startWith(t *testing.T, change func(*api.API)) *platform {
	t.Helper()
	p := &platform{t: t, node: nodetest.New(t, nodetest.Config{}), log: &logtest.Journal{}}
	p.logger = slog.New(slog.NewTextHandler(p.log, nil))
	p.store = p.connect()
	p.keys = &access.Keys{Store: p.store, Tenant: "default", AdminKey: adminKey, Random: rand.Reader, Now: time.Now}
	a := &api.API{
		Store: p.store, Feed: p.store.Feed, End: p.store.End, Keys: p.keys, Checks: []api.Check{{Name: "event store", Run: p.store.Ping}}, CursorKey: []byte("of the tests"),
		Catalogue: must(catalogs.New(p.store, 0))(t), Stock: must(stocks.NewWriter(stocks.Config{Store: p.store, Now: time.Now}))(t),
		CreditNotes: creditnotes.Recorder{Store: p.store},
		TraceID:     func(context.Context) string { return "4bf92f3577b34da6a3ce929d0e0e4736" },
		Logger:      p.logger, Now: time.Now, NewID: uuid.NewString,
	}
	p.webhooks(a)
	p.checkouts(a)
	p.gatewayCallbacks(a)
	p.readModels(a)
	p.jobs(a)
	change(a)
	server := httptest.NewUnstartedServer(nil)
	server.Config = api.NewServer(a.Config, a.Handler())
	server.Start()
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *platform) connect() *eventstore.Client {
	p.t.Helper()
	codec := must(eventstore.NewCodec(events()...))(p.t)
	store := must(eventstore.NewClient(eventstore.Config{
		ConnectionString: p.node.ConnectionString(), Codec: codec, Logger: p.logger, Timeout: 2 * time.Second,
	}))(p.t)
	p.t.Cleanup(func() { _ = store.Close() })
	return store
}

// webhooks adds endpoints and a dispatcher that runs until the test ends.
func (p *platform) webhooks(a *api.API) {
	p.t.Helper()
	db := must(database.Open(p.t.Context(), database.Config{Path: filepath.Join(p.t.TempDir(), "webhooks.db"), Migrations: ledger.Migrations()}))(p.t)
	keyring := must(vault.OpenKeyring("", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))))(p.t)
	books := &ledger.Ledger{Write: db.Write, Read: db.Read}
	policy := address.Policy{AllowPrivate: true}
	catalogue := message.NewCatalogue(message.Kinds())
	client := guard.NewClient(guard.Config{Policy: policy})
	a.Endpoints = &webhooks.Endpoints{
		Store: p.store, Ledger: books, Sealer: keyring, Catalogue: catalogue, Policy: policy, Random: rand.Reader, Now: time.Now,
		MarkKey: keyring.Derive("marks"),
	}
	keys := &signingkey.Keys{Store: p.store, Sealer: keyring, Random: rand.Reader, Now: time.Now}
	a.SigningKeys, a.Egress = keys, []string{"203.0.113.7/32"}
	a.Deliveries = &webhooks.Dispatcher{
		Store: p.store, Feed: func(c eventstore.FeedConfig) webhooks.Feed { return p.store.Feed(c) }, End: p.store.End, Before: p.store.Before, Ledger: books, Sealer: keyring,
		Catalogue: catalogue, Policy: policy, Client: client, Keys: keys, Endpoints: a.Endpoints, Logger: p.logger, Now: time.Now,
		Random: mathrand.Float64, Config: webhooks.Config{Owner: "test", CursorKey: keyring.Derive("cursors")},
	}
	a.Messages = &webhooks.Messages{
		Store: p.store, Feed: a.Deliveries.Feed, Catalogue: catalogue, Cursors: must(cursor.New(keyring.Derive("cursors")))(p.t), End: p.store.End, Before: p.store.Before, Now: time.Now,
	}
	a.Replays = &webhooks.Replays{Endpoints: a.Endpoints, Ledger: books, Cursors: must(cursor.New(keyring.Derive("cursors")))(p.t), End: p.store.End, Now: time.Now}
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Deliveries.Run(ctx) }()
	p.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Errorf("dispatcher: %v", err)
		}
		_ = db.Close()
	})
}

// gatewayPatience is how long a checkout waits for the gateway in tests.
const gatewayPatience = 300 * time.Millisecond

// callbackSecret signs what the gateway tells.
const callbackSecret = "of the gateway"

// gatewayCallbacks adds what takes callbacks.
func (p *platform) gatewayCallbacks(a *api.API) {
	p.t.Helper()
	a.GatewayCallbacks = gatewaycallbacks.New(gatewaycallbacks.Service{
		Store: p.store, Gateways: a.Checkouts.Gateways, Checkouts: a.Checkouts, Timeout: gatewayPatience, Now: time.Now, Logger: p.logger,
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.GatewayCallbacks.Run(ctx) }()
	p.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			p.t.Error(err)
		}
	})
}

// checkouts adds what places orders, with a sandbox gateway of its own.
func (p *platform) checkouts(a *api.API) {
	p.t.Helper()
	dir := p.t.TempDir()
	gateway := must(sandbox.Listen(p.t.Context(), "127.0.0.1:0", sandbox.Config{
		Ledger: filepath.Join(dir, "sandbox.db"), Delay: 2 * gatewayPatience, Now: time.Now, CallbackSecret: callbackSecret,
	}))(p.t)
	p.gateway = gateway
	p.t.Cleanup(func() { _ = gateway.Stop(context.WithoutCancel(p.t.Context())) })
	client := sandbox.Connect(sandbox.ClientConfig{
		URL: gateway.URL(), Protection: gateways.Protection{Timeout: gatewayPatience}, Secret: callbackSecret, Now: time.Now,
	})
	p.t.Cleanup(client.Close)
	keyring := must(vault.OpenKeyring("", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{8}, 32))))(p.t)
	a.Vault = must(vault.Open(p.t.Context(), filepath.Join(dir, "vault.db"), keyring))(p.t)
	p.t.Cleanup(func() { _ = a.Vault.Close() })
	p.vault, a.Endpoints.Contacts = a.Vault, a.Vault
	a.Documents = &receipt.Service{Store: p.store, Vault: a.Vault}
	a.Changes = &orders.Service{Store: p.store, Texts: a.Vault, Pricer: checkouts.Prices{Products: a.Catalogue}, Stock: a.Stock, Now: time.Now}
	providers := registry.New(map[string]gateways.Provider{"sandbox": client})
	a.Payer = &fulfilment.Service{
		Store: p.store, Stock: a.Stock, Gateways: providers, Warehouse: warehouse.Manual{}, Now: time.Now,
		Config: fulfilment.Config{GatewayTimeout: gatewayPatience},
	}
	a.Checkouts = &checkouts.Service{
		Store: p.store, Pricer: checkouts.Prices{Products: a.Catalogue}, Stock: a.Stock, Gateways: providers, Contacts: a.Vault,
		Numbers: &counter.Allocator{Store: p.store, Tenant: "default", NewID: uuid.NewString},
		Config:  checkouts.Config{GatewayTimeout: gatewayPatience, Patience: time.Second}, Now: time.Now, NewID: uuid.NewString,
	}
}

// readModels adds the read models and brings them forward until the test ends.
func (p *platform) readModels(a *api.API) {
	p.t.Helper()
	config := projections.Config{Dir: p.t.TempDir(), Store: p.store, Logger: p.logger, Now: time.Now}
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.t.Context()))
	var running sync.WaitGroup
	run := func(projection projections.Projection) *projections.Runner {
		runner := must(projections.Open(p.t.Context(), projection, config))(p.t)
		running.Go(func() {
			feed := p.store.Feed(eventstore.FeedConfig{Prefixes: runner.Prefixes()})
			defer feed.Close()
			for page, err := feed.Next(ctx); err == nil; page, err = feed.Next(ctx) {
				if err := runner.Apply(ctx, page); err != nil && ctx.Err() == nil {
					p.t.Errorf("%s: %v", runner.Name(), err)
				}
			}
		})
		return runner
	}
	orders, timeline, levels := run(projections.Orders{}), run(projections.Timeline{}), run(projections.Stock{})
	jobList, people, draftList := run(projections.Jobs{}), run(projections.Customers{}), run(projections.Drafts{})
	a.Drafts = &drafts.Service{Store: p.store, Vault: a.Vault, Checkouts: a.Checkouts, Now: time.Now}
	a.DraftList = projections.DraftQueries{DB: draftList.Read()}
	a.Customers = &customers.Service{Store: p.store, Vault: a.Vault, Drafts: a.Drafts, List: projections.CustomerQueries{DB: people.Read()}, Now: time.Now}
	a.JobList = projections.JobQueries{DB: jobList.Read()}
	open, untold := run(projections.Checkouts{}), run(projections.GatewayCallbacks{})
	a.CallbackList = projections.GatewayCallbackQueries{DB: untold.Read()}
	a.OpenList = projections.CheckoutQueries{DB: open.Read()}
	tasks, sales := run(projections.Tasks{}), run(projections.Sales{})
	a.Sales = projections.SalesQueries{DB: sales.Read()}
	money, words := run(projections.Payments{}), run(projections.Search{})
	a.Search = projections.SearchQueries{DB: words.Read()}
	a.Payments = projections.PaymentQueries{DB: money.Read()}
	a.Tasks = projections.TaskQueries{DB: tasks.Read()}
	a.Orders = projections.OrderQueries{DB: orders.Read()}
	a.Timeline = projections.TimelineQueries{DB: timeline.Read()}
	a.Levels = projections.StockQueries{DB: levels.Read()}
	config.Dir = p.t.TempDir()
	a.ReadModels = must(projections.OpenSet(p.t.Context(), config, p.store, projections.Orders{}))(p.t)
	running.Go(func() { _ = a.ReadModels.Run(ctx, projections.Follow(p.store, 512)) })
	running.Go(func() { _ = a.ReadModels.Work(ctx) })
	goods := run(projections.Products{})
	a.Products = projections.ProductQueries{DB: goods.Read()}
	p.t.Cleanup(func() {
		cancel()
		running.Wait()
		_ = a.ReadModels.Close()
		for _, runner := range []*projections.Runner{orders, timeline, levels, jobList, open, people, untold, tasks, goods, draftList, sales, money, words} {
			_ = runner.Close()
		}
	})
}

// noJobs lists none: jobs are taken up where they were started.
type noJobs struct{}

func (noJobs) Due(context.Context, time.Time) ([]string, error) { return nil, nil }

// jobs adds what starts long jobs, and runs them until the test ends.
func (p *platform) jobs(a *api.API) {
	p.t.Helper()
	keyring := must(vault.OpenKeyring("", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{9}, 32))))(p.t)
	policy := address.Policy{}
	a.Callbacks = &callback.Sender{
		Client: guard.NewClient(guard.Config{Policy: policy}), Policy: policy, Sealer: keyring, Derive: keyring.Derive, Now: time.Now,
	}
	a.Exports = p.exports(a)
	a.Jobs = jobs.New(p.store, time.Now, slices.Concat(a.Customers.Kinds(), a.Exports.Kinds())...)
	runner := &jobs.Runner{Service: a.Jobs, Todo: noJobs{}, Logger: p.logger}
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.t.Context()))
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	p.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			p.t.Error(err)
		}
	})
}

// must takes what a constructor returns; its error fails the test.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// key issues an API key with scopes.
func (p *platform) key(scopes ...apikey.Scope) string {
	p.t.Helper()
	issued, err := p.keys.Issue(p.t.Context(), access.NewKey{Name: "test", Scopes: scopes}, eventstore.Metadata{})
	if err != nil {
		p.t.Fatal(err)
	}
	return issued.Text
}

// request is what a test sends.
type request struct {
	method, path string
	body         string
	key          string // the admin's if empty, none if "-"
	header       map[string]string
}

// answer is what comes back.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

func (p *platform) do(r request) answer {
	p.t.Helper()
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), r.method, p.url+r.path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	switch r.key {
	case "":
		req.Header.Set("Authorization", "Bearer "+adminKey)
	case "-":
	default:
		req.Header.Set("Authorization", "Bearer "+r.key)
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	req.Host = "shop.example"
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{t: p.t, status: response.StatusCode, header: response.Header, body: read}
}

func (p *platform) get(path string) answer {
	p.t.Helper()
	return p.do(request{method: http.MethodGet, path: path})
}

func (p *platform) post(path, body string) answer {
	p.t.Helper()
	return p.do(request{method: http.MethodPost, path: path, body: body})
}

// expect fails the test unless the answer has the status.
func (a answer) expect(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// json decodes the body.
func (a answer) json() map[string]any {
	a.t.Helper()
	var document map[string]any
	if err := json.Unmarshal(a.body, &document); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	return document
}

// text returns a member of the body.
func (a answer) text(name string) string {
	a.t.Helper()
	text, ok := a.json()[name].(string)
	if !ok {
		a.t.Fatalf("%s has no text %q", a.body, name)
	}
	return text
}

// problem fails the test unless the answer is a problem of that kind.
func (a answer) problem(status int, slug string) answer {
	a.t.Helper()
	a.expect(status)
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Errorf("content type %q: %s", got, a.body)
	}
	if got := a.text("type"); got != "http://shop.example/problems/"+slug {
		a.t.Errorf("type %q, want %s: %s", got, slug, a.body)
	}
	if status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" {
		a.t.Error("a 503 without Retry-After")
	}
	return a
}

// reads has the API answer from a dispatcher of its own, which delivers nothing
// and is changed before it begins to read.
func reads(t *testing.T, a *api.API, change func(*webhooks.Dispatcher)) {
	t.Helper()
	of := a.Deliveries
	d := &webhooks.Dispatcher{
		Store: of.Store, Feed: of.Feed, End: of.End, Before: of.Before, Ledger: of.Ledger, Sealer: of.Sealer, Catalogue: of.Catalogue, Policy: of.Policy,
		Client: of.Client, Keys: of.Keys, Endpoints: of.Endpoints, Logger: of.Logger, Now: of.Now, Random: of.Random, Config: of.Config,
	}
	change(d)
	a.Deliveries = d
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- d.Follow(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("follow: %v", err)
		}
	})
}
