package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// Search is the orders by their words: numbers, SKUs, titles, tags and
// references of elsewhere. What lists are filtered by is a word, too, so that a
// search with filters meets in one index. It is a read model of its own, which
// may be behind, because words cost more than the rows of an order.
//
// There is no personal data in it, and none is found by it.
type Search struct{}

// Name implements [Projection].
func (Search) Name() string { return "search" }

// Version implements [Projection].
func (Search) Version() int { return 2 }

// Migrations implements [Projection].
func (Search) Migrations() fs.FS { return schema("search") }

// Prefixes implements [Projection].
func (Search) Prefixes() []string { return []string{order.Decider.Category + "-"} }

// LateIndexes implements [LateIndexes].
func (Search) LateIndexes() []string { return []string{"words"} }

// Apply implements [Projection].
func (s Search) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	return s.ApplyPage(ctx, tx, []eventstore.Recorded{r})
}

// ApplyPage implements [Pager]: an order is written once for all that a page
// says of it.
func (Search) ApplyPage(ctx context.Context, tx *Tx, events []eventstore.Recorded) error {
	p := searchPage{orders: map[string]*document{}}
	if err := p.read(events); err != nil {
		return err
	}
	if err := p.loadKnown(ctx, tx); err != nil {
		return err
	}
	if err := p.number(ctx, tx); err != nil {
		return err
	}
	for _, d := range p.all {
		if err := d.fold(); err != nil {
			return err
		}
	}
	return p.write(ctx, tx)
}

// document is an order and its words.
type document struct {
	doc      int64 // 0 until it is known
	orderID  string
	events   []happened
	revision eventstore.Revision
	source   documentSource
	stored   []string // words, as they were read; nil of a new one
}

type happened struct {
	revision eventstore.Revision
	event    order.Event
}

// documentSource is what words follow from.
type documentSource struct {
	Fixed []string       `json:"fixed"` // words that never change
	Lines []documentLine `json:"lines"`
	State keptOrder      `json:"state"`
}

type documentLine struct {
	ID    string `json:"id"`
	SKU   string `json:"sku"`
	Title string `json:"title"`
}

// searchPage is what a page of events changes.
type searchPage struct {
	orders map[string]*document
	all    []*document // in the order of the log
}

func (p *searchPage) read(events []eventstore.Recorded) error {
	for _, r := range events {
		event, err := r.Decode()
		if err != nil {
			return err
		}
		e, ok := event.(order.Event)
		if !ok {
			return fmt.Errorf("%T is no event of an order", event)
		}
		id := r.Stream[len(order.Decider.Stream("")):]
		d := p.orders[id]
		if d == nil {
			d = &document{orderID: id, revision: eventstore.NoStream}
			p.orders[id] = d
			p.all = append(p.all, d)
		}
		d.events = append(d.events, happened{r.Revision, e})
	}
	return nil
}

// fold brings the source to where the events lead.
func (d *document) fold() error {
	var state order.State
	if d.stored != nil {
		state = d.source.State.state(d.orderID)
	}
	for _, h := range d.events {
		if h.revision <= d.revision {
			continue
		}
		switch e := h.event.(type) { //nolint:gochecksumtype // of the others only the state tells
		case order.OrderPlaced:
			d.source.Fixed, d.source.Lines = fixedWords(e), nil
			for _, l := range e.Lines {
				d.source.Lines = append(d.source.Lines, documentLine{l.LineID, l.SKU, l.Title})
			}
		case order.OrderEdited:
			d.edit(e)
		}
		state, d.revision = order.Decider.Evolve(state, h.event), h.revision
	}
	if state.Status == "" {
		return fmt.Errorf("order %s was not placed", d.orderID)
	}
	d.source.State = keptOrderOf(state)
	return nil
}

func (d *document) edit(e order.OrderEdited) {
	for _, c := range e.Changes {
		d.source.Lines = slices.DeleteFunc(slices.Clone(d.source.Lines), func(l documentLine) bool { return l.ID == c.LineID })
		if c.QuantityTo > 0 {
			d.source.Lines = append(d.source.Lines, documentLine{c.LineID, c.SKU, c.Title})
		}
	}
}

func fixedWords(e order.OrderPlaced) []string {
	words := wordsOf(nil, e.Number)
	words = append(words, filterWord("customer", e.CustomerID))
	if e.External.Ref != "" {
		words = append(wordsOf(words, e.External.Ref), filterWord("ref", e.External.Ref))
	}
	if e.External.Source != "" {
		words = append(words, filterWord("source", e.External.Source))
	}
	return words
}

// words are all of the document, each once.
func (s documentSource) words(orderID string) database.Words {
	words := slices.Clone(s.Fixed)
	for _, l := range s.Lines {
		words = append(wordsOf(wordsOf(words, l.SKU), l.Title), filterWord("sku", l.SKU))
	}
	for _, tag := range s.State.Tags {
		words = append(wordsOf(words, tag), filterWord("tag", tag))
	}
	state := s.State.state(orderID)
	words = append(words, filterWord("status", string(state.Status)), filterWord("payment", string(state.PaymentStatus())))
	slices.Sort(words)
	return slices.Compact(words)
}

// write writes what has changed.
func (p *searchPage) write(ctx context.Context, tx *Tx) error {
	var documents, words []any
	for _, d := range p.all {
		now := d.source.words(d.orderID)
		same := slices.Equal(d.stored, now)
		if !same && d.stored != nil {
			if err := tx.Exec(ctx, `DELETE FROM words WHERE rowid = ?`, d.doc); err != nil {
				return err
			}
		}
		if !same {
			words = append(words, d.doc, now)
		}
		source, err := json.Marshal(d.source)
		if err != nil {
			return fmt.Errorf("write the words of order %s: %w", d.orderID, err)
		}
		documents = append(documents, d.doc, d.orderID, string(source), int64(d.revision))
	}
	if err := insertDocuments.run(ctx, tx, documents); err != nil {
		return err
	}
	return insertWords.run(ctx, tx, words)
}

//nolint:gochecknoglobals // texts that are put together once
var (
	insertDocuments = newInsert(4, `INSERT INTO documents (doc, order_id, source, revision)`,
		`ON CONFLICT (doc) DO UPDATE SET source = excluded.source, revision = excluded.revision`)
	insertWords = newInsert(2, `INSERT INTO words (rowid, text)`, ``)
)
