// Package searchindex keeps an index of somebody else's up to date with orders
// and products. It promises that the index never goes back: each document has
// the version of what it was made from, and the index ignores what is older
// than it has. A document holds no personal data.
package searchindex

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/remote"
	"github.com/waybill-dev/waybill/handlers/effects"
)

// Name is the handler's.
const Name = "search-index"

// Index takes documents with versions.
type Index interface {
	// Put replaces a document, unless the index has one of the same version or
	// a newer one.
	Put(ctx context.Context, index, id string, version int64, document any) error
}

// HTTP is an index that speaks the protocol of Elasticsearch and OpenSearch:
// PUT /{index}/_doc/{id} with a version of version_type external.
type HTTP struct{ Remote *remote.Client }

// Put implements [Index]. A conflict says that the index has the same or a
// newer one, which is what is wanted.
func (h HTTP) Put(ctx context.Context, index, id string, version int64, document any) error {
	_, err := h.Remote.Do(ctx, remote.Call{
		Method: http.MethodPut, Path: "/" + url.PathEscape(index) + "/_doc/" + url.PathEscape(id),
		Query: map[string]string{"version": strconv.FormatInt(version, 10), "version_type": "external"}, Body: document, Fine: []int{http.StatusConflict},
	})
	return err
}

// Config names the indexes.
type Config struct {
	Orders   string // empty is "orders"
	Products string // empty is "products"
}

// Service indexes. It may be used by many goroutines and processes.
type Service struct {
	Store  eventstore.Store
	Index  Index
	Config Config
}

// Order is the document of an order.
type Order struct {
	OrderID    string       `json:"order_id"`
	Number     string       `json:"number"`
	CustomerID string       `json:"customer_id,omitempty"`
	Status     string       `json:"status"`
	Country    string       `json:"ship_to_country,omitempty"`
	Channel    string       `json:"channel,omitempty"`
	Total      domain.Money `json:"total"`
	SKUs       []string     `json:"skus"`
	Titles     []string     `json:"titles"`
	Tags       []string     `json:"tags"`
	Tracking   []string     `json:"tracking"`
	PlacedAt   time.Time    `json:"placed_at"`
}

// Product is the document of a product.
type Product struct {
	SKU       string          `json:"sku"`
	Title     string          `json:"title"`
	Prices    []catalog.Price `json:"prices"`
	Withdrawn bool            `json:"withdrawn"`
}

// Handle indexes what an event is about, as it is by now: an
// [effects.Handler].
func (s *Service) Handle(ctx context.Context, r eventstore.Recorded) (err error) {
	category, id, _ := strings.Cut(r.Stream, "-")
	switch category {
	case order.Decider.Category:
		err = put(ctx, s, order.Decider, or(s.Config.Orders, "orders"), id, orderOf)
	case catalog.Decider.Category:
		err = put(ctx, s, catalog.Decider, or(s.Config.Products, "products"), id, productOf)
	}
	if err = effects.OfRemote(err); err != nil {
		return fmt.Errorf("index %s after %s %d: %w", r.Stream, r.Type, r.Revision, err)
	}
	return nil
}

// put indexes an aggregate. Versions count from 1, because 0 is no version.
func put[S, C any, E domain.Event](ctx context.Context, s *Service, decider domain.Decider[S, C, E], index, id string, document func(S) any) error {
	state, revision, err := eventstore.Load(ctx, s.Store, decider, id)
	if err != nil || revision == eventstore.NoStream {
		return err
	}
	return s.Index.Put(ctx, index, id, int64(revision)+1, document(state))
}

func orderOf(o order.State) any {
	d := Order{
		OrderID: o.OrderID, Number: o.Number, CustomerID: o.CustomerID, Status: string(o.Status), Country: o.ShipToCountry, Channel: o.Channel, Total: o.Totals.Grand,
		SKUs: []string{}, Titles: []string{}, Tags: append([]string{}, o.Tags...), Tracking: []string{}, PlacedAt: o.PlacedAt.UTC(),
	}
	for _, l := range o.Lines {
		if l.Quantity > 0 && !slices.Contains(d.SKUs, l.SKU) {
			d.SKUs, d.Titles = append(d.SKUs, l.SKU), append(d.Titles, l.Title)
		}
	}
	for _, parcel := range o.Shipments {
		if parcel.Shipped.Tracking != "" {
			d.Tracking = append(d.Tracking, parcel.Shipped.Tracking)
		}
	}
	return d
}

func productOf(p catalog.State) any {
	return Product{SKU: p.SKU, Title: p.Title, Prices: append([]catalog.Price{}, p.Prices...), Withdrawn: p.Withdrawn}
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
