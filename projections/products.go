package projections

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/eventstore"
)

// Products is the catalogue as it is listed, withdrawn products included.
type Products struct{}

// Name implements [Projection].
func (Products) Name() string { return "products" }

// Version implements [Projection].
func (Products) Version() int { return 1 }

// Migrations implements [Projection].
func (Products) Migrations() fs.FS { return schema("products") }

// Prefixes implements [Projection].
func (Products) Prefixes() []string { return []string{catalog.Decider.Category + "-"} }

// Apply implements [Projection]. Products change rarely: each time the row is
// read and written as a whole.
func (Products) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	decoded, err := r.Decode()
	if err != nil {
		return err
	}
	event, ok := decoded.(catalog.Event)
	if !ok {
		return fmt.Errorf("%T is no event of a product", decoded)
	}
	sku := r.Stream[len(catalog.Decider.Category)+1:]
	p, err := scanProduct(tx.QueryRow(ctx, `SELECT `+productColumns+` FROM products WHERE sku = ?`, sku))
	switch _, first := event.(catalog.ProductRegistered); {
	case errors.Is(err, sql.ErrNoRows) && first:
	case err != nil:
		return fmt.Errorf("read product %s: %w", sku, err)
	case p.Revision >= r.Revision:
		return nil
	}
	return putProduct(ctx, tx, p.with(event), r.Revision)
}

func (p Product) with(event catalog.Event) Product {
	s := catalog.Decider.Evolve(catalog.State{SKU: p.SKU, Title: p.Title, Prices: p.Prices, Withdrawn: p.Status == ProductStatusWithdrawn}, event)
	p.SKU, p.Title, p.Prices, p.Status = s.SKU, s.Title, s.Prices, ProductStatusActive
	if s.Withdrawn {
		p.Status = ProductStatusWithdrawn
	}
	if e, ok := event.(catalog.ProductRegistered); ok {
		p.RegisteredAt = e.RegisteredAt
	}
	return p
}

func putProduct(ctx context.Context, tx *Tx, p Product, revision eventstore.Revision) error {
	prices, err := json.Marshal(p.Prices)
	if err != nil {
		return fmt.Errorf("encode the prices of %s: %w", p.SKU, err)
	}
	return tx.Exec(ctx, `
		INSERT INTO products (sku, title, status, prices, registered_at, revision) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (sku) DO UPDATE SET title = excluded.title, status = excluded.status, prices = excluded.prices, revision = excluded.revision`,
		p.SKU, p.Title, string(p.Status), string(prices), millis(p.RegisteredAt), int64(revision))
}

// ProductStatus says whether a product may be ordered.
type ProductStatus string

// Whether a product may be ordered.
const (
	ProductStatusActive    ProductStatus = "active"
	ProductStatusWithdrawn ProductStatus = "withdrawn"
)

// Product is a row of the catalogue.
type Product struct {
	SKU, Title   string
	Status       ProductStatus
	Prices       []catalog.Price
	RegisteredAt time.Time
	Revision     eventstore.Revision
}

// ProductQueries reads the catalogue.
type ProductQueries struct{ DB *sql.DB }

const productColumns = `sku, title, status, prices, registered_at, revision`

const (
	listProducts         = `SELECT ` + productColumns + ` FROM products WHERE sku > ? ORDER BY sku LIMIT ?`
	listProductsByStatus = `SELECT ` + productColumns + ` FROM products WHERE status = ? AND sku > ? ORDER BY sku LIMIT ?`
)

// List returns up to limit products in the order of their SKUs, after one of
// them; empty is the beginning. An empty status is any.
func (q ProductQueries) List(ctx context.Context, status ProductStatus, afterSKU string, limit int) ([]Product, error) {
	query, args := listProducts, []any{afterSKU, limit}
	if status != "" {
		query, args = listProductsByStatus, []any{string(status), afterSKU, limit}
	}
	rows, err := q.DB.QueryContext(ctx, query, args...)
	return rowsOf(rows, err, scanProduct)
}

func scanProduct[R database.Row](row R) (p Product, err error) {
	var prices []byte
	var registered int64
	if err := row.Scan(&p.SKU, &p.Title, &p.Status, &prices, &registered, &p.Revision); err != nil {
		return Product{}, err
	}
	p.RegisteredAt = fromMillis(registered)
	if err := json.Unmarshal(prices, &p.Prices); err != nil {
		return p, fmt.Errorf("decode the prices of %s: %w", p.SKU, err)
	}
	return p, nil
}
