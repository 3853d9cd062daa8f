package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// patience is for what takes a moment on a machine that has time.
const patience = time.Minute

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it takes too long: " + what)
		}
	}
}

// prepare makes a platform over an event store; nothing of it runs.
func prepare(t *testing.T, store string, roles []string, settings ...string) *App {
	t.Helper()
	var cfg configs.Config
	parser, err := kong.New(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append([]string{"--eventstore", store, "--http-addr", "127.0.0.1:0"}, settings...)); err != nil {
		t.Fatal(err)
	}
	a, err := New(cfg, Options{Roles: roles, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// begin starts parts of a platform.
func (a *App) begin(t *testing.T, starts ...func(context.Context) error) {
	t.Helper()
	for _, start := range starts {
		if err := start(t.Context()); err != nil {
			a.stopWithin(t)
			t.Fatal(err)
		}
	}
}

func (a *App) stopWithin(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func register(t *testing.T, store eventstore.Store, products int) {
	t.Helper()
	for n := range products {
		sku := fmt.Sprint("MUG-", n)
		stream := catalog.Decider.Category + "-" + sku
		registered := catalog.ProductRegistered{SKU: sku, Title: "Mug", Prices: []catalog.Price{{Money: domain.Money{Amount: 1250, Currency: "EUR"}}}, RegisteredAt: time.Unix(1_700_000_000, 0)}
		if _, err := store.Append(t.Context(), stream, eventstore.NoStream, eventstore.NewEvent{ID: eventstore.EventID(stream, "test", 0), Event: registered}); err != nil {
			t.Fatal(err)
		}
	}
}

// stopsEnv is how often the process is stopped that swaps its read models.
const stopsEnv = "WAYBILL_TEST_STOPS"

// A process that stops while its read models are swapped for such that were
// built anew neither panics nor hangs; the next one goes on with them.
func TestAProcessStopsWhileReadModelsAreSwapped(t *testing.T) {
	t.Parallel()
	stops := 6
	if n, err := strconv.Atoi(os.Getenv(stopsEnv)); err == nil {
		stops = n
	}
	store, dir := nodetest.Start(t), t.TempDir()
	run := func() (*App, *projections.Set) {
		a := prepare(t, store, []string{RoleProjections}, "--data-dir", dir)
		a.begin(t, a.startDatabase, a.startNode, a.startClient, a.startReadModels)
		return a, a.ReadModels()
	}
	const products = 50
	first, _ := run()
	register(t, first.client, products)
	first.stopWithin(t)
	for n := range stops {
		a, set := run()
		for _, m := range set.Models() {
			_, err := set.StartRebuild(t.Context(), m.Name(), projections.RebuildOptions{ID: fmt.Sprint(n), Kind: projections.Anew, Accept: true, By: "test"})
			if err != nil && !strings.Contains(err.Error(), projections.ErrRebuilding.Error()) {
				t.Error(err)
			}
		}
		// The others are about to be swapped when n of them are.
		eventually(t, "some are swapped", func() bool { return swapped(t, set) >= n%len(set.Models()) })
		a.stopWithin(t)
		select {
		case err := <-a.Failed():
			t.Fatalf("stop %d: %v", n, err)
		default:
		}
	}
	last, set := run()
	defer last.stopWithin(t)
	defer func() {
		if !t.Failed() {
			return
		}
		for _, m := range set.Models() {
			r, err := set.Rebuild(context.WithoutCancel(t.Context()), m.Name())
			t.Logf("%s %s: %+v, %v", m.Name(), m.Live().Version(), r, err)
		}
	}()
	eventually(t, "rebuilds go on after a restart", func() bool { return swapped(t, set) == len(set.Models()) })
	eventually(t, "the products are listed", func() bool {
		list, err := last.models.products.List(t.Context(), "", "", 2*products)
		if err != nil {
			t.Fatal(err)
		}
		return len(list) == products
	})
}

func swapped(t *testing.T, set *projections.Set) (n int) {
	t.Helper()
	for _, m := range set.Models() {
		r, err := set.Rebuild(t.Context(), m.Name())
		if err != nil {
			t.Fatal(err)
		}
		if r.State == projections.Swapped {
			n++
		}
	}
	return n
}

// A process whose read models nobody has filled says so to the load balancer,
// and is ready as soon as somebody has.
func TestReadyzWaitsForReadModels(t *testing.T) {
	t.Parallel()
	const masterKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" // of no other installation
	database, store := databasetest.Postgres(t).URL, nodetest.Start(t)
	filling := prepare(t, store, []string{RoleProjections}, "--data-dir", t.TempDir(), "--database", database, "--master-key", masterKey)
	defer filling.stopWithin(t)
	filling.begin(t, filling.startDatabase, filling.startNode, filling.startClient)
	register(t, filling.client, 2)
	serving := prepare(t, store, []string{RoleAPI}, "--data-dir", t.TempDir(), "--database", database, "--master-key", masterKey)
	defer serving.stopWithin(t)
	serving.begin(t, serving.Start)
	if status, body := readyz(t, serving); status != http.StatusServiceUnavailable || !strings.Contains(body, "the read model products is being filled") {
		t.Errorf("nothing is filled: %d %s", status, body)
	}
	filling.begin(t, filling.startReadModels)
	eventually(t, "it is ready", func() bool { status, _ := readyz(t, serving); return status == http.StatusOK })
	if list, err := serving.models.products.List(t.Context(), "", "", 10); err != nil || len(list) != 2 {
		t.Errorf("ready with %d products, %v", len(list), err)
	}
}

func readyz(t *testing.T, a *App) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.HTTPAddr()+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
