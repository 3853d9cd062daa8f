package payment_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/payment"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func TestPayment(t *testing.T) {
	t.Parallel()
	amount := domain.Money{Amount: 2500, Currency: "EUR"}
	request := payment.Request{PaymentID: "p", OrderID: "o", Amount: amount, Method: "m", Gateway: "g", Key: "k", At: noon}
	dearer := request
	dearer.Amount.Amount++
	negative := request
	negative.Amount.Amount = -1
	requested := payment.PaymentAuthorisationRequested{PaymentID: "p", OrderID: "o", Amount: amount, Method: "m", Gateway: "g", Key: "k", RequestedAt: noon}
	authorise := payment.Authorise{GatewayRef: "ref", Amount: amount, ExpiresAt: noon}
	authorised := payment.PaymentAuthorised{PaymentID: "p", GatewayRef: "ref", Amount: amount, ExpiresAt: noon}
	decline := payment.Decline{Code: "51", Message: "not enough money", Retryable: true}
	declined := payment.PaymentDeclined{PaymentID: "p", Code: "51", Message: "not enough money", Retryable: true}
	unknown := payment.PaymentOutcomeUnknown{PaymentID: "p", Cause: "timeout", AfterMS: 6000}
	resolved := func(as payment.Resolution) payment.PaymentOutcomeResolved {
		return payment.PaymentOutcomeResolved{PaymentID: "p", As: as, By: payment.ByPoll}
	}
	resolve := func(as payment.Resolution) payment.Resolve {
		return payment.Resolve{As: as, By: payment.ByPoll, Authorised: authorise, Declined: decline}
	}
	lose := payment.LoseSight{Cause: "timeout", After: 6 * time.Second}
	requestVoid := payment.RequestVoid{Reason: "stock-lost"}
	decidertest.Run(t, payment.Decider, []row{
		{Name: "a payment is asked for", When: request, Then: events{requested}},
		{Name: "asking again changes nothing", Given: events{requested, authorised}, When: request},
		{Name: "asking for another amount under the same id is refused", Given: events{requested}, When: dearer, Refused: payment.ErrIDReused},
		{Name: "a negative amount is refused", When: negative, Refused: payment.ErrInvalid},
		{Name: "it is authorised", Given: events{requested}, When: authorise, Then: events{authorised}},
		{Name: "it is authorised once", Given: events{requested, authorised}, When: payment.Authorise{GatewayRef: "other"}, Refused: payment.ErrTransition},
		{Name: "a late answer ends the uncertainty", Given: events{requested, unknown}, When: authorise, Then: events{authorised}},
		{Name: "nothing is authorised that nobody asked for", When: authorise, Refused: payment.ErrTransition},
		{Name: "it is declined", Given: events{requested}, When: decline, Then: events{declined}},
		{Name: "what is authorised is not declined", Given: events{requested, authorised}, When: decline, Refused: payment.ErrTransition},
		{Name: "what is declined is not authorised", Given: events{requested, declined}, When: authorise, Refused: payment.ErrTransition},
		{Name: "the gateway does not answer", Given: events{requested}, When: lose, Then: events{unknown}},
		{Name: "an answer that came by another way stands", Given: events{requested, authorised}, When: lose},
		{Name: "nothing is lost sight of that nobody asked for", When: lose, Refused: payment.ErrTransition},
		{Name: "it turns out to be authorised", Given: events{requested, unknown}, When: resolve(payment.AsAuthorised), Then: events{resolved(payment.AsAuthorised), authorised}},
		{Name: "it turns out to be declined", Given: events{requested, unknown}, When: resolve(payment.AsDeclined), Then: events{resolved(payment.AsDeclined), declined}},
		{Name: "the gateway never heard of it", Given: events{requested}, When: resolve(payment.AsNotFound), Then: events{resolved(payment.AsNotFound)}},
		{Name: "what is authorised was heard of", Given: events{requested, authorised}, When: resolve(payment.AsNotFound), Refused: payment.ErrTransition},
		{Name: "there is no fourth way to turn out", Given: events{requested}, When: resolve("lost"), Refused: payment.ErrTransition},
		{Name: "a void is asked for", Given: events{requested, authorised}, When: requestVoid, Then: events{voidRequested}},
		{Name: "what may hold money is voided too", Given: events{requested, unknown}, When: requestVoid, Then: events{voidRequested}},
		{Name: "what the gateway never heard of is voided, lest it hears later", Given: events{requested, resolved(payment.AsNotFound)}, When: requestVoid, Then: events{voidRequested}},
		{Name: "a declined payment needs no voiding", Given: events{requested, declined}, When: requestVoid},
		{Name: "nothing is voided that nobody asked for", When: requestVoid, Refused: payment.ErrTransition},
		{Name: "it is voided", Given: events{requested, authorised, voidRequested}, When: payment.Void{}, Then: events{voided}},
		{Name: "it is voided after that was asked for only", Given: events{requested, authorised}, When: payment.Void{}, Refused: payment.ErrTransition},
		{Name: "what is voided is not authorised", Given: events{requested, voidRequested, voided}, When: authorise, Refused: payment.ErrTransition},
	})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, payment.EventTypes())
}
