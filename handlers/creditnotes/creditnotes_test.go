package creditnotes_test

import (
	"errors"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/creditnote"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/creditnotes"
	"github.com/waybill-dev/waybill/handlers/handlertest"
)

func TestACreditNoteIsRecordedOnce(t *testing.T) {
	t.Parallel()
	r := creditnotes.Recorder{Store: handlertest.Start(t)}
	external := creditnote.External{Source: "retail", Ref: "C536379", Time: time.Date(2010, 12, 1, 9, 41, 0, 0, time.FixedZone("", 3600))}
	command := creditnote.Record{
		CreditNoteID: creditnotes.ID(external), External: external, Currency: "GBP",
		Lines: []creditnote.Line{{SKU: "D", Title: "Discount", Quantity: 1, UnitPrice: domain.Money{Amount: 2750, Currency: "GBP"}}},
	}
	for i, want := range []int{1, 0} {
		result, err := r.Record(t.Context(), eventstore.Metadata{CommandID: "c"}, command)
		if err != nil || len(result.Events) != want || result.State.Recorded.Total.Amount != 2750 {
			t.Errorf("call %d: %d events, %v; want %d", i, len(result.Events), err, want)
		}
	}
	command.Currency = "EUR"
	if _, err := r.Record(t.Context(), eventstore.Metadata{CommandID: "d"}, command); !errors.Is(err, creditnote.ErrInvalid) {
		t.Errorf("got %v, want %v", err, creditnote.ErrInvalid)
	}
}
