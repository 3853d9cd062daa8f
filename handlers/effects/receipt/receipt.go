// Package receipt makes what an order has on paper: the receipt, and the
// packing slip of a parcel, as PDF. It promises that a document is made once
// for each revision of the order that changes it, and is the same bytes for
// ever after; and that documents are kept in the vault, so that they go with
// the customer's data. It must not know who asks for them.
package receipt

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/shop"
	"github.com/waybill-dev/waybill/handlers/orders"
	"github.com/waybill-dev/waybill/vault"
)

// Kind is which document.
type Kind string

// The documents there are.
const (
	Receipt     Kind = "receipt"
	PackingSlip Kind = "packing-slip"
)

// ErrUnknownShipment says that an order has no such parcel, or had none yet at
// the revision asked for.
var ErrUnknownShipment = domain.Rule("shipment-unknown", "the order has no shipment with this id")

// Config is how documents look.
type Config struct {
	Shop shop.Config
	// Font and BoldFont are TrueType files; nil is DejaVu Sans, which writes
	// every European language and no Chinese, Japanese or Korean. What a font
	// cannot write is a question mark.
	Font, BoldFont []byte
}

// Documents keeps documents with personal data.
type Documents interface {
	shop.People
	Put(ctx context.Context, subject, ref string, data any) error
}

// Service makes documents. It may be used by many goroutines.
type Service struct {
	Store  eventstore.Store
	Vault  Documents
	Config Config

	fonts fonts
}

// Asked says which document.
type Asked struct {
	Kind    Kind
	OrderID string
	// ShipmentID is the parcel of a packing slip; empty is everything that is
	// ordered.
	ShipmentID string
	// Revision is the order's at that time; nil is now.
	Revision *eventstore.Revision
	// Anonymous leaves out what is personal.
	Anonymous bool
}

// Document is a PDF.
type Document struct {
	Name     string // of the file
	Revision eventstore.Revision
	PDF      []byte
}

// kept is a document in the vault.
type kept struct {
	PDF []byte `json:"pdf"`
}

// Handle makes the documents that an event changes: an [effects.Handler]. An
// order that came about elsewhere has its documents there; they are made when
// somebody asks.
func (s *Service) Handle(ctx context.Context, r eventstore.Recorded) error {
	id, is := strings.CutPrefix(r.Stream, order.Decider.Category+"-")
	if !is {
		return nil
	}
	event, err := effects.Decode(r)
	if err != nil {
		return err
	}
	for _, asked := range changed(event) {
		asked.OrderID, asked.Revision = id, &r.Revision
		if err := s.make(ctx, asked); err != nil {
			return fmt.Errorf("%s of order %s at revision %d: %w", asked.Kind, id, r.Revision, err)
		}
	}
	return nil
}

// changed lists the documents that are other ones after an event.
func changed(event domain.Event) []Asked {
	switch e := event.(type) {
	case order.OrderPlaced, order.OrderEdited, order.OrderCancelled:
		return []Asked{{Kind: Receipt}, {Kind: PackingSlip}}
	case order.OrderRefunded:
		return []Asked{{Kind: Receipt}}
	case order.OrderAddressChanged:
		return []Asked{{Kind: PackingSlip}}
	case order.OrderShipped:
		return []Asked{{Kind: PackingSlip, ShipmentID: e.ShipmentID}}
	}
	return nil
}

// make keeps a document that is not kept yet.
func (s *Service) make(ctx context.Context, asked Asked) error {
	at, err := s.find(ctx, asked)
	if err != nil || at.state.External.Source != "" {
		return err
	}
	_, err = s.document(ctx, asked, at)
	return err
}

// Get returns a document: as it was made the first time, or without anything
// personal if that is wanted or the data was erased. The error is
// [orders.ErrNotFound], [orders.ErrFuture] or [ErrUnknownShipment].
func (s *Service) Get(ctx context.Context, asked Asked) (Document, error) {
	at, err := s.find(ctx, asked)
	if err != nil {
		return Document{}, err
	}
	d := Document{Name: string(asked.Kind) + "-" + at.state.Number + ".pdf", Revision: at.revision}
	d.PDF, err = s.document(ctx, asked, at)
	return d, err
}

// moment is an order right after an event that changes a document.
type moment struct {
	state    order.State
	revision eventstore.Revision
	time     time.Time
}

// find returns the order as the document shows it.
func (s *Service) find(ctx context.Context, asked Asked) (at moment, err error) {
	var now order.State
	newest := eventstore.NoStream
	stream := order.Decider.Stream(asked.OrderID)
	for r, err := range s.Store.ReadStream(ctx, stream, 0) {
		if err != nil {
			return at, fmt.Errorf("read %s: %w", stream, err)
		}
		if asked.Revision != nil && r.Revision > *asked.Revision {
			break
		}
		event, err := effects.Decode(r)
		if err != nil {
			return at, err
		}
		own, ok := event.(order.Event)
		if !ok {
			return at, effects.Permanent(r.Foreign(order.Decider.Category))
		}
		now, newest = order.Decider.Evolve(now, own), r.Revision
		if asked.changedBy(event) {
			at = moment{now, r.Revision, r.Created}
		}
	}
	switch {
	case now.Status == "":
		return at, orders.ErrNotFound
	case asked.Revision != nil && *asked.Revision > newest:
		return at, orders.ErrFuture.With("revision", int64(newest))
	case at.state.Status == "":
		return at, ErrUnknownShipment.With("shipment_id", asked.ShipmentID)
	}
	return at, nil
}

func (a Asked) changedBy(event domain.Event) bool {
	for _, other := range changed(event) {
		if other.Kind == a.Kind && other.ShipmentID == a.ShipmentID {
			return true
		}
	}
	return false
}

// document returns the kept document, or makes one and keeps it.
func (s *Service) document(ctx context.Context, asked Asked, at moment) ([]byte, error) {
	if asked.Anonymous {
		return s.render(asked, at, s.Config.Shop.Anonymous(at.state))
	}
	var found kept
	ref := eventstore.DeriveID("document", string(asked.Kind), asked.OrderID, asked.ShipmentID, strconv.FormatInt(int64(at.revision), 10))
	err := s.Vault.Get(ctx, ref, &found)
	if err == nil || !errors.Is(err, vault.ErrErased) && !errors.Is(err, vault.ErrNotFound) {
		return found.PDF, err
	}
	buyer, err := s.Config.Shop.Buyer(ctx, s.Vault, at.state)
	if err != nil {
		return nil, err
	}
	pdf, err := s.render(asked, at, buyer)
	if err != nil || buyer.Erased {
		return pdf, err
	}
	switch err := s.Vault.Put(ctx, orders.Subject(at.state), ref, kept{pdf}); {
	case errors.Is(err, vault.ErrErased):
		return s.render(asked, at, shop.Buyer{Language: buyer.Language, Erased: true})
	case errors.Is(err, vault.ErrRetired):
		return pdf, nil // it is about to be erased: nothing is added
	case err != nil:
		return nil, err
	}
	// Another process may have been first: what is kept counts.
	if err := s.Vault.Get(ctx, ref, &found); err != nil {
		return pdf, nil //nolint:nilerr // it was erased since, or is read again another time: this is the document
	}
	return found.PDF, nil
}
