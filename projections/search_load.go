package projections

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// A document's number begins with when its order was placed, in milliseconds,
// and goes on with some bits of the order's id. Of two orders that would get
// the same one, the later in the log gets the next.
const docBits = 20

// docAt is the number of the first document of a time, or of the first or last
// time that numbers go to.
func docAt(at time.Time) int64 {
	return min(max(millis(at), math.MinInt64>>docBits), math.MaxInt64>>docBits) << docBits
}

func docOf(e order.OrderPlaced) int64 {
	hash := sha256.Sum256([]byte(e.OrderID))
	return docAt(e.PlacedAt) | int64(binary.BigEndian.Uint32(hash[:])>>(32-docBits))
}

// filterWord is a word for what lists are filtered by. No text has such a word,
// because texts have no _.
func filterWord(what, value string) string {
	hash := sha256.Sum256([]byte(value))
	return what + "_" + hex.EncodeToString(hash[:8])
}

// placed returns the event that an order began with, if it is on the page.
func (d *document) placed() (order.OrderPlaced, bool) {
	e, ok := d.events[0].event.(order.OrderPlaced)
	return e, ok
}

// loadKnown reads the documents of orders that were placed on an earlier page.
func (p *searchPage) loadKnown(ctx context.Context, tx *Tx) error {
	var ids []any
	for _, d := range p.all {
		if _, placed := d.placed(); !placed {
			ids = append(ids, d.orderID)
		}
	}
	found, err := findDocuments(ctx, tx, "order_id", ids)
	for _, stored := range found {
		p.take(stored)
	}
	return err
}

// take puts what was read of an order to what happens to it.
func (p *searchPage) take(stored document) {
	if d := p.orders[stored.orderID]; d != nil {
		d.doc, d.revision, d.source, d.stored = stored.doc, stored.revision, stored.source, stored.stored
	}
}

// number gives new documents their numbers, and finds those that have one
// because the page came before.
func (p *searchPage) number(ctx context.Context, tx *Tx) error {
	n := numbering{stored: map[int64]document{}, given: map[int64]bool{}}
	var open []*document
	var docs []any
	for _, d := range p.all {
		if e, placed := d.placed(); placed {
			d.doc = docOf(e)
			open, docs = append(open, d), append(docs, d.doc)
		}
	}
	if err := n.look(ctx, tx, docs); err != nil {
		return err
	}
	for _, d := range open { // in the order of the log, whatever the pages are
		if err := n.give(ctx, tx, d); err != nil {
			return err
		}
		if stored, there := n.stored[d.doc]; there {
			p.take(stored)
		}
	}
	return nil
}

// numbering is which numbers are taken, of those that were looked at.
type numbering struct {
	stored map[int64]document
	given  map[int64]bool // on this page
	seen   map[int64]bool
}

func (n *numbering) look(ctx context.Context, tx *Tx, docs []any) error {
	if n.seen == nil {
		n.seen = make(map[int64]bool, len(docs))
	}
	for _, doc := range docs {
		n.seen[doc.(int64)] = true
	}
	found, err := findDocuments(ctx, tx, "doc", docs)
	for _, stored := range found {
		n.stored[stored.doc] = stored
	}
	return err
}

// give finds the first number that is the document's already, or free.
func (n *numbering) give(ctx context.Context, tx *Tx, d *document) error {
	for ; ; d.doc++ {
		if !n.seen[d.doc] {
			if err := n.look(ctx, tx, []any{d.doc}); err != nil {
				return err
			}
		}
		stored, there := n.stored[d.doc]
		if there && stored.orderID == d.orderID {
			return nil
		}
		if !there && !n.given[d.doc] {
			n.given[d.doc] = true
			return nil
		}
	}
}

// findMany is how many documents one statement asks for.
const findMany = 32

// findDocuments reads documents by one column.
func findDocuments(ctx context.Context, tx *Tx, column string, values []any) (all []document, err error) {
	for len(values) > 0 && err == nil {
		n := min(len(values), findMany)
		args := append([]any{}, values[:n]...)
		for len(args) < findMany { // one text is kept prepared
			args = append(args, args[0])
		}
		values = values[n:]
		rows, failed := tx.Query(ctx, `SELECT doc, order_id, source, revision FROM documents WHERE `+column+ //nolint:gosec // the column is ours
			` IN (?`+strings.Repeat(", ?", findMany-1)+`)`, args...)
		var some []document
		some, err = rowsOf(rows, failed, scanDocument)
		all = append(all, some...)
	}
	return all, err
}

func scanDocument(rows *sql.Rows) (document, error) {
	d := document{revision: eventstore.NoStream}
	var source string
	if err := rows.Scan(&d.doc, &d.orderID, &source, &d.revision); err != nil {
		return d, err
	}
	if err := json.Unmarshal([]byte(source), &d.source); err != nil {
		return d, fmt.Errorf("read the words of order %s: %w", d.orderID, err)
	}
	d.stored = d.source.words(d.orderID)
	return d, nil
}
