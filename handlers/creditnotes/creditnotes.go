// Package creditnotes records credit notes for orders that were made
// elsewhere. It promises that one is recorded once per id.
package creditnotes

import (
	"context"

	"github.com/waybill-dev/waybill/domain/creditnote"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
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

// Record keeps a credit note.
func (r Recorder) Record(ctx context.Context, meta eventstore.Metadata, command creditnote.Record) (Result, error) {
	h := handlers.CommandHandler[creditnote.State, creditnote.Command, creditnote.Event]{
		Store: r.Store, Decider: creditnote.Decider,
	}
	return h.Handle(ctx, command.CreditNoteID, meta, command)
}
