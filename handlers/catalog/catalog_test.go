package catalog_test

import (
	"errors"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	domaincatalog "github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/catalog"
	"github.com/waybill-dev/waybill/handlers/handlertest"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func eur(amount int64) domaincatalog.Price {
	return domaincatalog.Price{Money: domain.Money{Amount: amount, Currency: "EUR"}}
}

func meta(id string) eventstore.Metadata { return eventstore.Metadata{CommandID: id} }

func newCatalog(t *testing.T, store eventstore.Store) *catalog.Catalog {
	t.Helper()
	c, err := catalog.New(store, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func costs(t *testing.T, c *catalog.Catalog, want int64) {
	t.Helper()
	product, _, err := c.Product(t.Context(), "MUG-1")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := product.Price("EUR", ""); got.Amount != want {
		t.Errorf("the mug costs %v, want %d", got, want)
	}
}

func TestOwnChangesAreSeenAtOnceAndOthersThroughTheFeed(t *testing.T) {
	t.Parallel()
	store := handlertest.Start(t)
	one, other := newCatalog(t, store), newCatalog(t, store)
	mug := domaincatalog.Register{SKU: "MUG-1", Title: "Mug", Prices: []domaincatalog.Price{eur(1250)}, At: noon}
	if _, err := one.Register(t.Context(), meta("1"), mug); err != nil {
		t.Fatal(err)
	}
	costs(t, one, 1250)
	costs(t, other, 1250)
	change := func(amount int64) {
		t.Helper()
		_, err := one.Change(t.Context(), meta(eur(amount).String()), "MUG-1", domaincatalog.ChangePrice{SKU: "MUG-1", Price: eur(amount), At: noon})
		if err != nil {
			t.Fatal(err)
		}
	}
	change(1350)
	costs(t, one, 1350)
	costs(t, other, 1250)
	change(1450)
	var all []eventstore.Recorded
	for r, err := range store.ReadStream(t.Context(), "product-MUG-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	observe := func(c *catalog.Catalog, events ...eventstore.Recorded) {
		t.Helper()
		for _, r := range events {
			if err := c.Observe(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	observe(other, all[0], all[1])
	costs(t, other, 1350)
	observe(other, all...)
	costs(t, other, 1450)
	late := newCatalog(t, store)
	observe(late, all[2]) // says only that there is something to read
	costs(t, late, 1450)
	fed := newCatalog(t, nil) // knows what the feed tells from the start
	observe(fed, all...)
	costs(t, fed, 1450)
	observe(fed, eventstore.Recorded{Stream: "order-1"})
}

func TestAPriceIsChangedAtARevision(t *testing.T) {
	t.Parallel()
	c := newCatalog(t, handlertest.Start(t))
	if _, err := c.Register(t.Context(), meta("1"), domaincatalog.Register{SKU: "MUG-1", Title: "Mug", Prices: []domaincatalog.Price{eur(1)}}); err != nil {
		t.Fatal(err)
	}
	change := domaincatalog.ChangePrice{SKU: "MUG-1", Price: eur(2)}
	if _, err := c.ChangeAt(t.Context(), 5, meta("2"), "MUG-1", change); !errors.Is(err, handlers.ErrRevision) {
		t.Errorf("got %v, want %v", err, handlers.ErrRevision)
	}
	if _, err := c.ChangeAt(t.Context(), 0, meta("2"), "MUG-1", change); err != nil {
		t.Error(err)
	}
	costs(t, c, 2)
}

// A process stops selling what another one withdrew as soon as the feed tells.
func TestAWithdrawalIsSeenThroughTheFeed(t *testing.T) {
	t.Parallel()
	store := handlertest.Start(t)
	one, other := newCatalog(t, store), newCatalog(t, store)
	if _, err := one.Register(t.Context(), meta("1"), domaincatalog.Register{SKU: "MUG-1", Title: "Mug", Prices: []domaincatalog.Price{eur(1)}}); err != nil {
		t.Fatal(err)
	}
	withdrawn := func(c *catalog.Catalog, want bool) {
		t.Helper()
		if product, _, err := c.Product(t.Context(), "MUG-1"); err != nil || product.Withdrawn != want || product.Title != "Mug" {
			t.Errorf("%+v, %v", product, err)
		}
	}
	withdrawn(other, false)
	change := func(id string, command domaincatalog.Command) eventstore.Recorded {
		t.Helper()
		result, err := one.Change(t.Context(), meta(id), "MUG-1", command)
		if err != nil {
			t.Fatal(err)
		}
		for r, err := range store.ReadStream(t.Context(), "product-MUG-1", result.Revision) {
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		t.Fatal("nothing was recorded")
		return eventstore.Recorded{}
	}
	told := func(r eventstore.Recorded) {
		t.Helper()
		if err := other.Observe(r); err != nil {
			t.Fatal(err)
		}
	}
	gone := change("2", domaincatalog.Withdraw{SKU: "MUG-1"})
	withdrawn(one, true)
	told(gone)
	withdrawn(other, true)
	back := change("3", domaincatalog.Relist{SKU: "MUG-1"})
	withdrawn(one, false)
	told(back)
	withdrawn(other, false)
}

func TestAnUnknownProductIsNotRemembered(t *testing.T) {
	t.Parallel()
	store := handlertest.Start(t)
	c := newCatalog(t, store)
	for _, sku := range []string{"MUG-1", "not a sku"} {
		if product, _, err := c.Product(t.Context(), sku); err != nil || product.Known() {
			t.Errorf("%s: %+v, %v", sku, product, err)
		}
	}
	if _, err := newCatalog(t, store).Register(t.Context(), meta("1"), domaincatalog.Register{SKU: "MUG-1", Title: "Mug", Prices: []domaincatalog.Price{eur(1)}}); err != nil {
		t.Fatal(err)
	}
	costs(t, c, 1)
}
