// Package warehouse is what we ask of those who pick and pack, whichever system
// they have. A request's id names one job for ever: asking for it again changes
// nothing. That parcels left is told by them, through the API. It must know
// nothing of orders but what a picker needs.
package warehouse

import (
	"context"
	"errors"
	"time"
)

// Warehouse takes jobs. It may be used by many goroutines. The error is
// [ErrAway] when it cannot be told whether it heard; everything may be asked
// again.
type Warehouse interface {
	// Submit asks for a job to be done. One that is known changes nothing, also
	// where it was stopped.
	Submit(ctx context.Context, job Job) error
	// Stop asks for a job not to be done any more. One that nobody knows is not
	// done, even if it is submitted later.
	//
	// The revision counts what was decided about the job: a call that comes
	// later than one of a higher revision changes nothing.
	Stop(ctx context.Context, requestID string, revision int) (Stopped, error)
	// Resume asks for a stopped job to be done after all. Where it was not
	// stopped, or is not known, this changes nothing.
	Resume(ctx context.Context, requestID string, revision int) error
	// Look asks what became of a job. The error is [ErrUnknown] where it never
	// came, or came to nobody who remembers it.
	Look(ctx context.Context, requestID string) (State, error)
}

// ByHand is the status of every job where people pick: they tell what became of
// it, and nobody else knows.
const ByHand = "by hand"

// State is a job as the system answers with it.
type State struct {
	RequestID string   `json:"request_id"`
	Status    string   `json:"status"` // submitted, stopped or picked
	Parcels   []Parcel `json:"parcels,omitempty"`
	Refused   *Refusal `json:"refused,omitempty"` // of what is not in a parcel
}

// Parcel is a parcel that has left. Its id is the shipment's id: unique within
// the order, and the same in what the warehouse tells by itself.
type Parcel struct {
	ID        string    `json:"id"`
	Carrier   string    `json:"carrier,omitempty"`
	Tracking  string    `json:"tracking,omitempty"`
	ShippedAt time.Time `json:"shipped_at,omitzero"`
	Lines     []Units   `json:"lines"`
}

// Units are a number of units of one line.
type Units struct {
	LineID   string `json:"line_id"`
	Quantity int    `json:"quantity"`
}

// Refusal says that the warehouse cannot do what is left of a job. Its id is the
// hold's id; without one it is the request's.
type Refusal struct {
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason"` // stock_shortfall, address or manual
}

// Stopped is the answer to whoever wants a job stopped.
type Stopped string

// Answers to whoever wants a job stopped.
const (
	Done   Stopped = "stopped" // nobody will pick it
	Picked Stopped = "picked"  // too late
)

// Job is what is to be picked and shipped. ShipTo is personal data: it is read
// from the vault for the call, and is not to be logged or kept here.
type Job struct {
	RequestID   string   `json:"request_id"`
	OrderID     string   `json:"order_id"`
	OrderNumber string   `json:"order_number"`
	Location    string   `json:"location"`
	ShipTo      *Address `json:"ship_to,omitempty"`
	Lines       []Line   `json:"lines"`
}

// Address is where a parcel goes, and who gets it.
type Address struct {
	Name       string `json:"name,omitempty"`
	Company    string `json:"company,omitempty"`
	Line1      string `json:"line1,omitempty"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city,omitempty"`
	Region     string `json:"region,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
	Country    string `json:"country,omitempty"` // ISO 3166
	Phone      string `json:"phone,omitempty"`
}

// Line is units of one line of an order.
type Line struct {
	LineID   string `json:"line_id"`
	SKU      string `json:"sku"`
	Title    string `json:"title"`
	Quantity int    `json:"quantity"`
}

// ErrAway says that the warehouse did not answer: it may or may not have heard.
var ErrAway = errors.New("the warehouse does not answer")

// ErrUnknown says that the warehouse has no such job.
var ErrUnknown = errors.New("the warehouse does not know the job")

// Manual is a warehouse without a system: people read what is to be picked
// from the orders. Nothing is submitted, and what was not shipped can be
// stopped, because shipping is recorded through the API.
type Manual struct{}

// Submit implements [Warehouse].
func (Manual) Submit(context.Context, Job) error { return nil }

// Stop implements [Warehouse].
func (Manual) Stop(context.Context, string, int) (Stopped, error) { return Done, nil }

// Resume implements [Warehouse].
func (Manual) Resume(context.Context, string, int) error { return nil }

// Look implements [Warehouse].
func (Manual) Look(_ context.Context, requestID string) (State, error) {
	return State{RequestID: requestID, Status: ByHand}, nil
}
