package projections

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// ApplyPage implements [Pager]: orders of a day are mostly of few SKUs and go to
// few countries, so a page of them changes less rows than it has orders.
func (p Sales) ApplyPage(ctx context.Context, tx *Tx, events []eventstore.Recorded) error {
	var page salesPage
	for _, r := range events {
		event, err := r.Decode()
		if err != nil {
			return err
		}
		if e, placed := event.(order.OrderPlaced); placed {
			page.sell(r, e)
			continue
		}
		if page.streams[r.Stream] {
			if err := page.write(ctx, tx); err != nil {
				return err
			}
		}
		if err := p.Apply(ctx, tx, r); err != nil {
			return err
		}
	}
	return page.write(ctx, tx)
}

// salesPage is the orders that were placed and are not written yet.
type salesPage struct {
	orders  []placedSale
	streams map[string]bool // of the orders
}

type placedSale struct {
	orderID  string
	key      saleKey
	kept     keptSale
	revision int64
}

func (p *salesPage) sell(r eventstore.Recorded, e order.OrderPlaced) {
	if p.streams == nil {
		p.streams = map[string]bool{}
	}
	p.streams[r.Stream] = true
	p.orders = append(p.orders, placedSale{
		e.OrderID, saleKey{saleDay(e, r.Created), e.Currency, e.ShipToCountry}, keptSaleOf(e), int64(r.Revision),
	})
}

// write writes the orders, and counts those that do not count already.
func (p *salesPage) write(ctx context.Context, tx *Tx) error {
	values := make([]any, 0, len(p.orders)*insertSales.columns)
	for _, o := range p.orders {
		state, err := json.Marshal(o.kept)
		if err != nil {
			return fmt.Errorf("write the sale of order %s: %w", o.orderID, err)
		}
		values = append(values, o.orderID, o.key.day, o.key.currency, o.key.country, string(state), o.revision)
	}
	added := map[string]bool{}
	err := insertSales.each(values, func(query string, args []any) error {
		rows, err := tx.Query(ctx, query, args...)
		ids, err := rowsOf(rows, err, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) })
		for _, id := range ids {
			added[id] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	var counts saleCounts
	for _, o := range p.orders {
		if !added[o.orderID] {
			continue
		}
		delete(added, o.orderID)
		bySKU, all := o.kept.shares()
		for sku, share := range bySKU {
			counts.add(o.key, sku, share)
		}
		counts.addAll(o.key, all)
	}
	*p = salesPage{}
	return counts.write(ctx, tx)
}

// saleCounts are what is to be added to the counted columns.
type saleCounts struct {
	daily map[dailyKey]sale
	all   map[saleKey]sale
}

type dailyKey struct {
	saleKey

	sku string
}

func (c *saleCounts) add(key saleKey, sku string, share sale) {
	if c.daily == nil {
		c.daily = map[dailyKey]sale{}
	}
	at := dailyKey{key, sku}
	c.daily[at] = c.daily[at].plus(share)
}

func (c *saleCounts) addAll(key saleKey, share sale) {
	if c.all == nil {
		c.all = map[saleKey]sale{}
	}
	c.all[key] = c.all[key].plus(share)
}

func (c *saleCounts) write(ctx context.Context, tx *Tx) error {
	var daily, all []any
	for _, at := range slices.SortedFunc(maps.Keys(c.daily), dailyKey.compare) {
		if s := c.daily[at]; s != (sale{}) {
			daily = append(daily, at.day, at.currency, at.country, at.sku, s.orders, s.units, s.returned, s.gross, s.discount, s.refunds)
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(c.all), saleKey.compare) {
		if s := c.all[at]; s != (sale{}) {
			all = append(all, at.day, at.currency, at.country, s.orders, s.units, s.returned, s.gross, s.discount, s.refunds)
		}
	}
	if err := addDaily.run(ctx, tx, daily); err != nil {
		return err
	}
	return addTotals.run(ctx, tx, all)
}

func (k saleKey) compare(o saleKey) int {
	return slices.Compare([]string{k.day, k.currency, k.country}, []string{o.day, o.currency, o.country})
}

func (k dailyKey) compare(o dailyKey) int {
	if c := k.saleKey.compare(o.saleKey); c != 0 {
		return c
	}
	return strings.Compare(k.sku, o.sku)
}

//nolint:gochecknoglobals // texts that are put together once
var (
	insertSales = newInsert(6, `INSERT OR FAIL INTO sales_orders (order_id, day, currency, country, state, revision)`,
		`ON CONFLICT (order_id) DO NOTHING RETURNING order_id`)
	addDaily = newInsert(10, `INSERT OR FAIL INTO sales_daily AS s (day, currency, country, sku, orders, units, returned, gross, discount, refunds)`,
		`ON CONFLICT (day, currency, country, sku)`+addSales)
	addTotals = newInsert(9, `INSERT OR FAIL INTO sales_totals AS s (day, currency, country, orders, units, returned, gross, discount, refunds)`,
		`ON CONFLICT (day, currency, country)`+addSales)
)

const addSales = ` DO UPDATE SET orders = s.orders + excluded.orders, units = s.units + excluded.units, returned = s.returned + excluded.returned,
	gross = s.gross + excluded.gross, discount = s.discount + excluded.discount, refunds = s.refunds + excluded.refunds`
