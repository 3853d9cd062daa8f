// Package catalog registers and changes products, and knows them by
// heart: pricing a cart costs no read. It promises that a process sees its own
// changes at once, and those of others as soon as the feed has told it.
package catalog

import (
	"context"
	"fmt"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
)

// DefaultSize is how many products are kept in memory unless asked otherwise.
const DefaultSize = 100_000

// Prefix is what the streams to be observed begin with.
const Prefix = "product-"

// Catalog is the products. It may be used by many goroutines.
type Catalog struct {
	handler handlers.CommandHandler[catalog.State, catalog.Command, catalog.Event]
	mu      sync.Mutex
	known   *lru.Cache[string, entry]
}

// entry is a product as of a revision, or, if not read, only that there is
// such a revision.
type entry struct {
	product  catalog.State
	revision eventstore.Revision
	read     bool
}

// New returns a catalogue that keeps so many products in memory; 0 means
// DefaultSize.
func New(store eventstore.Store, size int) (*Catalog, error) {
	if size == 0 {
		size = DefaultSize
	}
	known, err := lru.New[string, entry](size)
	if err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	c := &Catalog{known: known}
	c.handler.Store, c.handler.Decider = store, catalog.Decider
	return c, nil
}

// Result is a product after a command.
type Result = handlers.Result[catalog.State]

// Register makes a product known.
func (c *Catalog) Register(ctx context.Context, meta eventstore.Metadata, command catalog.Register) (Result, error) {
	result, err := c.handler.Handle(ctx, command.SKU, meta, command)
	return c.learn(command.SKU, result, err)
}

// Change changes a registered product.
func (c *Catalog) Change(ctx context.Context, meta eventstore.Metadata, sku string, command catalog.Command) (Result, error) {
	result, err := c.handler.Handle(ctx, sku, meta, command)
	return c.learn(sku, result, err)
}

// ChangeAt changes a product if it is at a revision, and refuses with
// [handlers.ErrRevision] otherwise.
func (c *Catalog) ChangeAt(
	ctx context.Context, expected eventstore.Revision, meta eventstore.Metadata, sku string, command catalog.Command,
) (Result, error) {
	result, err := c.handler.HandleAt(ctx, sku, expected, meta, command)
	return c.learn(sku, result, err)
}

func (c *Catalog) learn(sku string, result Result, err error) (Result, error) {
	if err == nil {
		c.keep(sku, entry{result.State, result.Revision, true})
	}
	return result, err
}

// Product returns a product and its revision. One that is not registered is
// the zero state.
func (c *Catalog) Product(ctx context.Context, sku string) (catalog.State, eventstore.Revision, error) {
	c.mu.Lock()
	e, there := c.known.Get(sku)
	c.mu.Unlock()
	if there && e.read {
		return e.product, e.revision, nil
	}
	if !domain.ValidSKU(sku) {
		return catalog.State{}, eventstore.NoStream, nil
	}
	product, revision, err := eventstore.Load(ctx, c.handler.Store, catalog.Decider, sku)
	if err != nil {
		return catalog.State{}, 0, fmt.Errorf("read product %s: %w", sku, err)
	}
	if product.Known() {
		c.keep(sku, entry{product, revision, true})
	}
	return product, revision, nil
}

// Observe takes an event of the feed in. Events of other streams are ignored.
func (c *Catalog) Observe(r eventstore.Recorded) error {
	sku, own := strings.CutPrefix(r.Stream, Prefix)
	if !own {
		return nil
	}
	decoded, err := r.Decode()
	if err != nil {
		return fmt.Errorf("event %d of %s: %w", r.Revision, r.Stream, err)
	}
	event, own := decoded.(catalog.Event)
	if !own {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, there := c.known.Get(sku)
	switch {
	case there && r.Revision <= e.revision:
	case there && e.read && r.Revision == e.revision+1, !there && r.Revision == 0:
		c.known.Add(sku, entry{catalog.Decider.Evolve(e.product, event), r.Revision, true})
	default:
		c.known.Add(sku, entry{revision: r.Revision})
	}
	return nil
}

// keep remembers a product, unless a later revision is known of.
func (c *Catalog) keep(sku string, e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, there := c.known.Peek(sku); there && (known.revision > e.revision || known.revision == e.revision && known.read) {
		return
	}
	c.known.Add(sku, e)
}
