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
		_, err := one.ChangePrice(t.Context(), meta(eur(amount).String()), domaincatalog.ChangePrice{SKU: "MUG-1", Price: eur(amount), At: noon})
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
	if _, err := c.ChangePriceAt(t.Context(), 5, meta("2"), change); !errors.Is(err, handlers.ErrRevision) {
		t.Errorf("got %v, want %v", err, handlers.ErrRevision)
	}
	if _, err := c.ChangePriceAt(t.Context(), 0, meta("2"), change); err != nil {
		t.Error(err)
	}
	costs(t, c, 2)
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
