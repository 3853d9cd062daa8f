// Package creditnotes records credit notes for orders that were made
// elsewhere. It promises that one is recorded once per id, and that a caller's
// key makes one at most.
package creditnotes

import (
	"context"

	"github.com/waybill-dev/waybill/domain/creditnote"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/requestkey"
)

// Recorder records credit notes.
type Recorder struct{ Store eventstore.Store }

// Result is a credit note after a command; without Events it was recorded
// before.
type Result = handlers.Result[creditnote.State]

// ID returns the id of a credit note from where it came about, by which a
// repeated one is recognised.
func ID(external creditnote.External) string {
	return eventstore.DeriveID("creditnote", external.Source, external.Ref)
}

// Record keeps a credit note. A key that was used for another one is refused.
func (r Recorder) Record(ctx context.Context, meta eventstore.Metadata, command creditnote.Record) (Result, error) {
	if _, err := requestkey.Used(ctx, r.Store, meta); err != nil {
		return Result{}, err
	}
	state, revision, err := eventstore.Load(ctx, r.Store, creditnote.Decider, command.CreditNoteID)
	if err != nil {
		return Result{}, err
	}
	events, err := creditnote.Decider.Decide(state, command)
	if err != nil {
		return Result{State: state, Revision: revision}, err
	}
	if err := requestkey.Use(ctx, r.Store, meta); err != nil {
		return Result{}, err
	}
	if len(events) == 0 { // it is there, and does not change
		return Result{State: state, Revision: revision}, nil
	}
	h := handlers.CommandHandler[creditnote.State, creditnote.Command, creditnote.Event]{
		Store: r.Store, Decider: creditnote.Decider,
	}
	return h.Handle(ctx, command.CreditNoteID, meta, command)
}
