package exports_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/exports"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/jobs"
	"github.com/waybill-dev/waybill/vault"
)

var (
	noon      = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	errKilled = errors.New("the process ended")
)

// list is a list of orders, one a minute until noon.
type list struct {
	orders int
	calls  atomic.Int64
	block  chan struct{} // if set, the second page waits for it or for the end of the context
}

func (l *list) Page(ctx context.Context, f exports.Filter, after exports.Key, limit int) ([]exports.Order, error) {
	if l.calls.Add(1) == 2 && l.block != nil {
		select {
		case <-l.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	var page []exports.Order
	for i := range l.orders {
		o := order(i, l.orders)
		if (f.Status == "" || f.Status == o.Status) && !o.PlacedAt.Before(f.PlacedFrom) && o.PlacedAt.Before(f.PlacedTo) && o.PlacedAt.After(after.PlacedAt) && len(page) < limit {
			page = append(page, o)
		}
	}
	return page, nil
}

func order(i, of int) exports.Order {
	status := []string{"placed", "shipped"}[i%2]
	at := noon.Add(time.Duration(i-of) * time.Minute)
	return exports.Order{
		OrderID: fmt.Sprint("o", i), Number: fmt.Sprint(100_000 + i), Status: status, PaymentStatus: "authorised", FulfilmentStatus: "unfulfilled", CustomerID: "ada", Currency: "EUR",
		Subtotal: 1000, Discount: -1, Total: 1250, LineCount: 1, ShipToCountry: "GB", Tags: "gift late", ExternalRef: "=1+1", PlacedAt: at, UpdatedAt: at.Add(time.Second),
	}
}

type people struct{}

func (people) Person(_ context.Context, o *exports.Order) error {
	o.Person = &exports.Person{Email: o.OrderID + "@example.com", Name: "Ada \"L\", née B\nyron", Address: "+1 Street"}
	return nil
}

type bench struct {
	t       *testing.T
	store   eventstore.Store
	db      *database.DB
	keys    *vault.Keyring
	list    *list
	now     atomic.Int64
	service *exports.Service
	jobs    *jobs.Service
}

func newBench(t *testing.T, e databasetest.Engine, orders int) *bench {
	t.Helper()
	path := "exports.db"
	if e.Server == nil {
		path = filepath.Join(e.Dir, path)
	}
	db, err := database.Open(t.Context(), database.Config{Path: path, Server: e.Server, Migrations: exports.Migrations()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	keys, err := vault.OpenKeyring(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, store: handlertest.Start(t), db: db, keys: keys, list: &list{orders: orders}}
	b.restart(nil)
	return b
}

func (b *bench) clock() time.Time { return noon.Add(time.Duration(b.now.Load())) }

// restart is another process, on the same log and database.
func (b *bench) restart(fault func(string) error) {
	b.service = &exports.Service{DB: b.db, Orders: b.list, People: people{}, Sealer: vault.Envelope{Keyring: b.keys}, Now: b.clock, Fault: fault}
	b.jobs = jobs.New(b.store, b.clock, b.service.Kinds()...)
}

// todo lists the one job.
type todo []string

func (d todo) Due(context.Context, time.Time) ([]string, error) { return d, nil }

func (b *bench) start(id string, f exports.Filter, format exports.Format, personal bool) {
	b.t.Helper()
	_, err := b.jobs.Start(b.t.Context(), eventstore.Metadata{CommandID: id}, jobs.Request{JobID: id, Kind: exports.Kind, Params: exports.Params(f, format, personal), Owner: "me"})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) round(id string) job.State {
	b.t.Helper()
	r := &jobs.Runner{Service: b.jobs, Todo: todo{id}, Logger: slog.New(slog.DiscardHandler)}
	if err := r.Round(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	r.Wait()
	found, err := b.jobs.Get(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return found.State
}

func (b *bench) content(id string) []byte {
	b.t.Helper()
	f, err := b.service.File(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	var out bytes.Buffer
	if err := b.service.Copy(b.t.Context(), f, &out); err != nil {
		b.t.Fatal(err)
	}
	if int64(out.Len()) != f.Bytes {
		b.t.Errorf("%d bytes of %d", out.Len(), f.Bytes)
	}
	return out.Bytes()
}

// read returns the orders of a file and whether it has personal data.
func read(t *testing.T, format exports.Format, content []byte) (all []exports.Order) {
	t.Helper()
	switch format {
	case exports.NDJSON:
		for line := range bytes.Lines(content) {
			var o exports.Order
			if err := json.Unmarshal(line, &o); err != nil {
				t.Fatal(err)
			}
			all = append(all, o)
		}
	case exports.Parquet:
		rows, err := parquet.Read[exports.Order](bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		return rows
	case exports.CSV:
		rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			at, err := time.Parse(time.RFC3339Nano, row[19])
			if err != nil {
				t.Fatal(err)
			}
			o := exports.Order{OrderID: row[0], Number: row[1], Status: row[2], PlacedAt: at}
			if len(row) > 21 {
				o.Person = &exports.Person{Email: row[21], Name: row[22]}
			}
			all = append(all, o)
		}
	}
	return all
}

func TestAnExportHasTheOrdersThatWereAskedFor(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		const orders = 1300
		b := newBench(t, e, orders)
		for _, format := range []exports.Format{exports.CSV, exports.NDJSON, exports.Parquet} {
			for _, personal := range []bool{false, true} {
				id := fmt.Sprint(format, personal)
				b.start(id, exports.Filter{Status: "shipped", PlacedTo: noon.Add(time.Hour)}, format, personal)
				b.start(id, exports.Filter{Status: "shipped", PlacedTo: noon.Add(time.Hour)}, format, personal) // a repeat
				done := b.round(id)
				if done.Status != job.Succeeded || fmt.Sprint(done.Result["orders"]) != "650" || done.Result["href"] != "/v1/exports/"+id+"/file" {
					t.Fatalf("%s: %s, %v", id, done.Status, done.Result)
				}
				content := b.content(id)
				all := read(t, format, content)
				if len(all) != orders/2 {
					t.Fatalf("%s: %d orders", id, len(all))
				}
				for i, o := range all {
					want := order(2*i+1, orders)
					if o.OrderID != want.OrderID || !o.PlacedAt.Equal(want.PlacedAt) || (o.Person != nil) != personal || personal && o.Person.Email != o.OrderID+"@example.com" {
						t.Fatalf("%s: order %d is %+v", id, i, o)
					}
				}
				if personal == !bytes.Contains(content, []byte("Street")) && format != exports.Parquet {
					t.Errorf("%s has personal data: %v", id, !personal)
				}
			}
		}
	})
}

func TestACellIsNoFormula(t *testing.T) {
	t.Parallel()
	b := newBench(t, databasetest.SQLite(t), 1)
	b.start("j", exports.Filter{}, exports.CSV, true)
	b.round("j")
	rows, err := csv.NewReader(bytes.NewReader(b.content("j"))).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatal(err, rows)
	}
	want := []string{
		"o0", "100000", "placed", "authorised", "unfulfilled", "ada", "EUR", "1000", "-1", "0", "0", "1250", "0", "0", "1", "GB", "gift late", "", "'=1+1", "2026-03-14T11:59:00Z", "2026-03-14T11:59:01Z",
		"o0@example.com", "Ada \"L\", née B\nyron", "", "'+1 Street",
	}
	if diff := cmp.Diff(want, rows[1]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.start("none", exports.Filter{Status: "returned"}, exports.CSV, false)
	b.round("none")
	if got := string(b.content("none")); !strings.HasPrefix(got, "order_id,number,") || strings.Count(got, "\n") != 1 || strings.Contains(got, "email") {
		t.Errorf("of nothing: %q", got)
	}
}

func TestAnExportIsWholeWheneverTheProcessEnds(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		const orders = 1300
		for _, killAt := range []string{"page", "chunk", "written", "finished"} {
			b := newBench(t, e.Another(t), orders)
			b.start("j", exports.Filter{}, exports.NDJSON, false)
			b.restart(func(step string) error {
				if step == killAt {
					panic(errKilled) // not even its own mess is cleared
				}
				return nil
			})
			state := b.round("j")
			if state.Status != job.Running {
				t.Fatalf("killed at %s: %s", killAt, state.Status)
			}
			if _, err := b.service.File(t.Context(), "j"); (err == nil) != (killAt == "finished") {
				t.Errorf("killed at %s: %v", killAt, err)
			}
			b.now.Store(int64(time.Hour)) // orders of meanwhile are not in it
			b.list.orders = orders
			b.restart(nil)
			if state = b.round("j"); state.Status != job.Succeeded {
				t.Fatalf("after %s: %s", killAt, state.Status)
			}
			all := read(t, exports.NDJSON, b.content("j"))
			ids := map[string]bool{}
			for _, o := range all {
				ids[o.OrderID] = true
			}
			if len(all) != orders || len(ids) != orders {
				t.Errorf("after %s: %d orders, %d different", killAt, len(all), len(ids))
			}
			// What the killed attempt left is swept away, the file is not.
			b.now.Store(int64(23 * time.Hour))
			if err := b.service.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.content("j")
			b.now.Store(int64(72 * time.Hour))
			if err := b.service.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			var left int
			if err := b.db.Read.QueryRowContext(t.Context(), `SELECT count(*) FROM export_chunks`).Scan(&left); err != nil || left != 0 {
				t.Errorf("after %s: %d pieces are left: %v", killAt, left, err)
			}
			if _, err := b.service.File(t.Context(), "j"); !errors.Is(err, exports.ErrGone) {
				t.Errorf("after its time: %v", err)
			}
		}
	})
}

func TestAnExportIsCancelled(t *testing.T) {
	t.Parallel()
	b := newBench(t, databasetest.SQLite(t), 1300)
	b.list.block = make(chan struct{})
	b.start("j", exports.Filter{}, exports.CSV, false)
	ended := make(chan job.State)
	go func() { ended <- b.round("j") }()
	for b.list.calls.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	// The runner may note progress at the same moment.
	for {
		_, err := b.jobs.Cancel(t.Context(), eventstore.Metadata{CommandID: "c"}, "j")
		if err == nil {
			break
		}
		if !errors.Is(err, eventstore.ErrConflict) {
			t.Fatal(err)
		}
	}
	if state := <-ended; state.Status != job.Cancelled {
		t.Errorf("%s", state.Status)
	}
	var left int
	if err := b.db.Read.QueryRowContext(t.Context(), `SELECT count(*) FROM export_chunks`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d pieces are left: %v", left, err)
	}
}

func TestWhatIsKeptIsSealed(t *testing.T) {
	t.Parallel()
	b := newBench(t, databasetest.SQLite(t), 10)
	b.start("j", exports.Filter{}, exports.NDJSON, true)
	b.round("j")
	var sealed []byte
	if err := b.db.Read.QueryRowContext(t.Context(), `SELECT sealed FROM export_chunks`).Scan(&sealed); err != nil || bytes.Contains(sealed, []byte("example.com")) {
		t.Errorf("%v: %q", err, sealed[:min(len(sealed), 100)])
	}
	if !slices.ContainsFunc(read(t, exports.NDJSON, b.content("j")), func(o exports.Order) bool { return o.Person.Email == "o3@example.com" }) {
		t.Error("and nobody can open it")
	}
}
