package stock

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// SnapshotFormat is the format of the snapshots this program writes. Whoever
// changes what a snapshot holds, or what evolve makes of an event, raises it.
const SnapshotFormat = 2

// firstFormat is the oldest format that is read. In format 1 what expired stood
// among what was over for good, and what was over was forgotten by number alone.
const firstFormat = 1

// SnapshotCategory is the category of the streams of snapshots, whose ids are
// those of the items.
const SnapshotCategory = "stocksnap"

// StockSnapshotTaken is recorded beside the item, in a stream of its own of
// which only the last one is kept, so that a long stream need not be read from
// its beginning. It is no fact: consumers ignore it, and any of them may be
// deleted. One of another Format, or one whose Checksum is wrong, is ignored.
type StockSnapshotTaken struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Format   int    `json:"format"`
	Revision int64  `json:"revision"` // of the last event in State
	EventID  string `json:"event_id"` // of that event: another one there, and the log is another one
	State    []byte `json:"state"`    // gzip of JSON
	Checksum string `json:"checksum"` // SHA-256 of everything else
}

// EventName implements [domain.Event].
func (StockSnapshotTaken) EventName() string { return "StockSnapshotTaken" }

// NewSnapshot returns the snapshot of a state after an event.
func NewSnapshot(s State, revision int64, eventID string) (StockSnapshotTaken, error) {
	t := StockSnapshotTaken{SKU: s.SKU, Location: s.Location, Format: SnapshotFormat, Revision: revision, EventID: eventID}
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err == nil {
		err = errors.Join(json.NewEncoder(zip).Encode(freeze(s)), zip.Close())
	}
	if err != nil {
		return t, fmt.Errorf("pack the state: %w", err)
	}
	t.State = packed.Bytes()
	t.Checksum = t.sum()
	return t, nil
}

func (t StockSnapshotTaken) sum() string {
	hash := sha256.New()
	_, _ = fmt.Fprintf(hash, "%q %q %d %d %q ", t.SKU, t.Location, t.Format, t.Revision, t.EventID)
	_, _ = hash.Write(t.State)
	return hex.EncodeToString(hash.Sum(nil))
}

// maxState bounds what a state is unpacked to.
const maxState = 256 << 20

// Open returns the state in the snapshot of an item, or why it is of no use.
func (t StockSnapshotTaken) Open(location, sku string) (State, error) {
	switch {
	case t.Format < firstFormat || t.Format > SnapshotFormat:
		return State{}, fmt.Errorf("the format is %d where %d to %d are known", t.Format, firstFormat, SnapshotFormat)
	case t.SKU != sku || t.Location != location:
		return State{}, fmt.Errorf("it is of another item: %s", ID(t.Location, t.SKU))
	case t.Checksum != t.sum():
		return State{}, errors.New("the checksum is wrong")
	}
	zip, err := gzip.NewReader(bytes.NewReader(t.State))
	if err != nil {
		return State{}, fmt.Errorf("unpack the state: %w", err)
	}
	var f frozen
	if err := json.NewDecoder(io.LimitReader(zip, maxState)).Decode(&f); err != nil {
		return State{}, fmt.Errorf("unpack the state: %w", err)
	}
	if t.Format == firstFormat {
		f = f.upcast()
	}
	return f.thaw(location, sku)
}

// upcast is a state of format 1 as one of format 2. When its reservations were
// over is not known: it was before anything that is still to come.
func (f frozen) upcast() frozen {
	f.EditHorizon = f.Horizon
	f.LapsedNext, f.LapsedLost = f.ClosedNext, f.ClosedLost
	var closed []frozenReservation
	for _, r := range f.Closed {
		if r.Status == StatusReleased && r.Reason == Expired {
			f.Lapsed = append(f.Lapsed, r)
		} else {
			closed = append(closed, r)
		}
	}
	f.Closed = closed
	return f
}

// frozen is a state as JSON, the same for the same state.
type frozen struct {
	Policy         Policy              `json:"policy,omitempty"`
	BackorderLimit int                 `json:"backorder_limit,omitempty"`
	OnHand         int                 `json:"on_hand"`
	Made           int                 `json:"made"`
	Open           []frozenReservation `json:"open,omitempty"`   // in the order they were made
	Lapsed         []frozenReservation `json:"lapsed,omitempty"` // the newest first
	LapsedNext     int                 `json:"lapsed_next,omitempty"`
	LapsedLost     int                 `json:"lapsed_lost,omitempty"`
	Closed         []frozenReservation `json:"closed,omitempty"` // the newest first
	ClosedNext     int                 `json:"closed_next,omitempty"`
	ClosedLost     int                 `json:"closed_lost,omitempty"`
	Horizon        time.Time           `json:"horizon,omitzero"`
	EditHorizon    time.Time           `json:"edit_horizon,omitzero"`
	Latest         time.Time           `json:"latest,omitzero"`
	Refs           []frozenRef         `json:"refs,omitempty"` // the newest first
	RefsNext       int                 `json:"refs_next,omitempty"`
	RefsLost       int                 `json:"refs_lost,omitempty"`
	Faded          []byte              `json:"faded,omitempty"`
}

type frozenReservation struct {
	ID         string           `json:"id"`
	Status     Status           `json:"status"`
	CheckoutID string           `json:"checkout"`
	OrderID    string           `json:"order,omitempty"`
	Quantity   int              `json:"quantity"`
	ExpiresAt  time.Time        `json:"expires"`
	Until      time.Time        `json:"until,omitzero"` // where it is another one
	Over       time.Time        `json:"over,omitzero"`
	Reason     Reason           `json:"reason,omitempty"`
	Shipments  []frozenShipment `json:"shipments,omitempty"` // the oldest first
	Made       int              `json:"made"`
	Closed     int              `json:"closed,omitempty"`
}

type frozenShipment struct {
	ID       string `json:"id"`
	Quantity int    `json:"quantity"`
}

type frozenRef struct {
	Key      string `json:"key"`
	Quantity int    `json:"quantity"`
	Number   int    `json:"number"`
}

func freeze(s State) frozen {
	f := frozen{
		Policy: s.Policy, BackorderLimit: s.BackorderLimit, OnHand: s.OnHand, Made: s.made,
		Horizon: s.horizon.checkouts, EditHorizon: s.horizon.edits, Latest: s.latest, LapsedNext: s.lapsed.next, LapsedLost: s.lapsed.lost,
		ClosedNext: s.closed.next, ClosedLost: s.closed.lost, RefsNext: s.refs.next, RefsLost: s.refs.lost, Faded: s.faded.bits,
	}
	for id, r := range s.open.all() {
		f.Open = append(f.Open, freezeReservation(id, r, 0))
	}
	slices.SortFunc(f.Open, func(a, b frozenReservation) int { return a.Made - b.Made })
	for id, r := range s.lapsed.all() {
		e, _ := s.lapsed.values.get(id)
		f.Lapsed = append(f.Lapsed, freezeReservation(id, r, e.number))
	}
	for id, r := range s.closed.all() {
		e, _ := s.closed.values.get(id)
		f.Closed = append(f.Closed, freezeReservation(id, r, e.number))
	}
	for key, quantity := range s.refs.all() {
		e, _ := s.refs.values.get(key)
		f.Refs = append(f.Refs, frozenRef{key, quantity, e.number})
	}
	return f
}

func freezeReservation(id string, r *Reservation, closed int) frozenReservation {
	f := frozenReservation{
		ID: id, Status: r.Status, CheckoutID: r.CheckoutID, OrderID: r.OrderID, Quantity: r.Quantity,
		ExpiresAt: r.ExpiresAt, Over: r.over, Reason: r.Reason, Made: r.number, Closed: closed,
	}
	if !r.until.Equal(r.ExpiresAt) {
		f.Until = r.until
	}
	for s := r.shipments; s != nil; s = s.before {
		f.Shipments = append(f.Shipments, frozenShipment{s.id, s.quantity})
	}
	slices.Reverse(f.Shipments)
	return f
}

func (f frozen) thaw(location, sku string) (State, error) {
	s := State{
		Location: location, SKU: sku, Policy: f.Policy, BackorderLimit: f.BackorderLimit, OnHand: f.OnHand,
		made: f.Made, horizon: horizon{f.Horizon, f.EditHorizon}, latest: f.Latest,
	}
	if len(f.Faded) != 0 && len(f.Faded) != filterBytes {
		return State{}, errors.New("the filter has another size")
	}
	s.faded.bits = f.Faded
	for _, frozen := range f.Open {
		r := frozen.thaw()
		s.open = s.open.with(frozen.ID, r)
		switch r.Status {
		case StatusReserved:
			s.Reserved += r.Quantity
			s.expiry = s.expiry.with(due{r.ExpiresAt, frozen.ID})
		case StatusCommitted:
			s.Committed += r.Left()
		case StatusReleased, StatusShipped:
			return State{}, fmt.Errorf("reservation %s is not open", frozen.ID)
		}
	}
	for _, frozen := range f.Lapsed {
		s.lapsed = s.lapsed.placed(frozen.ID, frozen.thaw(), frozen.Closed)
	}
	s.lapsed.next, s.lapsed.lost = f.LapsedNext, f.LapsedLost
	for _, frozen := range f.Closed {
		s.closed = s.closed.placed(frozen.ID, frozen.thaw(), frozen.Closed)
	}
	s.closed.next, s.closed.lost = f.ClosedNext, f.ClosedLost
	for _, ref := range f.Refs {
		s.refs = s.refs.placed(ref.Key, ref.Quantity, ref.Number)
	}
	s.refs.next, s.refs.lost = f.RefsNext, f.RefsLost
	return s, nil
}

func (f frozenReservation) thaw() *Reservation {
	r := Reservation{
		Status: f.Status, CheckoutID: f.CheckoutID, OrderID: f.OrderID, Quantity: f.Quantity,
		ExpiresAt: f.ExpiresAt, Reason: f.Reason, until: f.Until, over: f.Over, number: f.Made,
	}
	if r.until.IsZero() {
		r.until = r.ExpiresAt
	}
	for _, s := range f.Shipments {
		r.shipments = &shipment{s.ID, s.Quantity, r.shipments}
		r.Shipped += s.Quantity
	}
	return &r
}
