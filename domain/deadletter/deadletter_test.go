package deadletter_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/deadletter"
	"github.com/waybill-dev/waybill/domain/decidertest"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func TestDecide(t *testing.T) {
	t.Parallel()
	a := deadletter.Of{Handler: "mail", Number: 3, EventID: "e3", Stream: "order-1", Revision: 0}
	b := deadletter.Of{Handler: "mail", Number: 4, EventID: "e4", Stream: "order-2", Revision: 5}
	retry := deadletter.Retry{Of: []deadletter.Of{a}, By: "k1", At: noon}
	both := deadletter.Retry{Of: []deadletter.Of{a, b}, By: "k1", At: noon}
	retried := deadletter.DeadLetterRetried{Of: a, By: "k1", At: noon}
	handled := deadletter.DeadLetterHandled{Of: a, At: noon}
	failed := deadletter.DeadLetterFailed{Of: a, SealedError: []byte("x"), At: noon}
	discard := deadletter.Discard{Of: a, Reason: "test_order", By: "k1", At: noon}
	discarded := deadletter.DeadLetterDiscarded{Of: a, Reason: "test_order", By: "k1", At: noon}
	edit := deadletter.Edit{Of: a, SealedData: []byte("s"), Reason: "no_sku", By: "k1", At: noon}
	wordy := discard
	wordy.Reason = "Ann Smith called"
	decidertest.Run(t, deadletter.Decider, []decidertest.Case[deadletter.Command, deadletter.Event]{
		{Name: "a retry is announced", When: retry, Then: []deadletter.Event{retried}},
		{Name: "a retry that is under way is not announced again", Given: []deadletter.Event{retried}, When: retry},
		{Name: "what failed again is retried again", Given: []deadletter.Event{retried, failed}, When: retry, Then: []deadletter.Event{retried}},
		{Name: "what was handled is not retried", Given: []deadletter.Event{retried, handled}, When: retry, Refused: deadletter.ErrClosed},
		{Name: "what was discarded is not retried", Given: []deadletter.Event{discarded}, When: retry, Refused: deadletter.ErrClosed},
		{
			Name: "of several, those that are open", Given: []deadletter.Event{discarded}, When: both,
			Then: []deadletter.Event{deadletter.DeadLetterRetried{Of: b, By: "k1", At: noon}},
		},
		{Name: "a retry succeeds", Given: []deadletter.Event{retried}, When: deadletter.Close{Of: a, At: noon}, Then: []deadletter.Event{handled}},
		{Name: "a retry fails", Given: []deadletter.Event{retried}, When: deadletter.Close{Of: a, SealedError: []byte("x"), At: noon}, Then: []deadletter.Event{failed}},
		{Name: "a retry ends once", Given: []deadletter.Event{retried, handled}, When: deadletter.Close{Of: a, SealedError: []byte("x"), At: noon}},
		{Name: "nothing ends that was not begun", When: deadletter.Close{Of: a, At: noon}},
		{Name: "it is discarded", When: discard, Then: []deadletter.Event{discarded}},
		{Name: "it is discarded once", Given: []deadletter.Event{discarded}, When: discard},
		{Name: "what is being retried is not discarded", Given: []deadletter.Event{retried}, When: discard, Refused: deadletter.ErrRetrying},
		{Name: "what was handled is not discarded", Given: []deadletter.Event{retried, handled}, When: discard, Refused: deadletter.ErrClosed},
		{Name: "a reason is a word", When: wordy, Refused: deadletter.ErrInvalid},
		{
			Name: "a copy is edited and handled", Given: []deadletter.Event{retried, failed}, When: edit,
			Then: []deadletter.Event{deadletter.DeadLetterEdited{Of: a, SealedData: []byte("s"), Reason: "no_sku", By: "k1", At: noon}, retried},
		},
		{Name: "what is being retried is not edited", Given: []deadletter.Event{retried}, When: edit, Refused: deadletter.ErrRetrying},
	})
}

func TestStoredEventsStayReadable(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, deadletter.EventTypes())
}
