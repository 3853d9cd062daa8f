package payment_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/payment"
)

type (
	events = []payment.Event
	row    = decidertest.Case[payment.Command, payment.Event]
)

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

// with copies, so that no two histories share their end.
func with(history events, more ...payment.Event) events { return slices.Concat(history, more) }

// given is an authorised payment of 25 EUR and what happened to it since.
func given(more ...payment.Event) events {
	return with(events{
		payment.PaymentAuthorisationRequested{PaymentID: "p", OrderID: "o", Amount: eur(2500), Method: "m", Gateway: "g", Key: "k", RequestedAt: noon},
		payment.PaymentAuthorised{PaymentID: "p", GatewayRef: "ref", Amount: eur(2500), ExpiresAt: noon},
	}, more...)
}

// captured is given with 20 EUR taken.
func captured(more ...payment.Event) events {
	return with(given(
		payment.PaymentCaptureRequested{PaymentID: "p", CaptureID: "c", Amount: eur(2000)},
		payment.PaymentCaptured{PaymentID: "p", CaptureID: "c", Amount: eur(2000), GatewayRef: "ch"},
	), more...)
}

var (
	voidRequested = payment.PaymentVoidRequested{PaymentID: "p", Reason: "stock-lost"}
	voidFailed    = payment.PaymentVoidFailed{PaymentID: "p", Code: "try-later"}
	voided        = payment.PaymentVoided{PaymentID: "p"}
	expired       = payment.PaymentAuthorisationExpired{PaymentID: "p"}
)

func TestAction(t *testing.T) {
	t.Parallel()
	requested := given()[:1]
	require := payment.RequireAction{URL: "https://bank.example/3ds/1", ExpiresAt: noon}
	required := payment.PaymentActionRequired{PaymentID: "p", URL: "https://bank.example/3ds/1", ExpiresAt: noon}
	authorise := payment.Authorise{GatewayRef: "ref", Amount: eur(2500), ExpiresAt: noon}
	decline := payment.Decline{Code: "authentication-failed"}
	waiting := with(requested, required)
	unknown := payment.PaymentOutcomeUnknown{PaymentID: "p", Cause: "timeout"}
	other := require
	other.URL = "https://bank.example/3ds/2"
	resolve := func(as payment.Resolution) payment.Resolve {
		return payment.Resolve{As: as, By: payment.ByCallback, Authorised: authorise, Declined: decline}
	}
	resolved := func(as payment.Resolution) payment.PaymentOutcomeResolved {
		return payment.PaymentOutcomeResolved{PaymentID: "p", As: as, By: payment.ByCallback}
	}
	decidertest.Run(t, payment.Decider, []row{
		{Name: "the shopper has to act", Given: requested, When: require, Then: events{required}},
		{Name: "it turns out that the shopper has to act", Given: with(requested, unknown), When: require, Then: events{required}},
		{
			Name: "the shopper has to act elsewhere", Given: waiting, When: other,
			Then: events{payment.PaymentActionRequired{PaymentID: "p", URL: other.URL, ExpiresAt: noon}},
		},
		{Name: "that the shopper had to act is old news", Given: given(), When: require},
		{Name: "nobody acts for a payment that nobody asked for", When: require, Refused: payment.ErrTransition},
		{Name: "the shopper acted", Given: waiting, When: authorise, Then: events{given()[1]}},
		{Name: "the shopper failed", Given: waiting, When: decline, Then: events{payment.PaymentDeclined{PaymentID: "p", Code: "authentication-failed"}}},
		{Name: "we are told that the shopper acted", Given: waiting, When: resolve(payment.AsAuthorised), Then: events{resolved(payment.AsAuthorised), given()[1]}},
		{
			Name: "we are told that the shopper failed", Given: waiting, When: resolve(payment.AsDeclined),
			Then: events{resolved(payment.AsDeclined), payment.PaymentDeclined{PaymentID: "p", Code: "authentication-failed"}},
		},
		{Name: "the gateway forgot what the shopper was to do", Given: waiting, When: resolve(payment.AsNotFound), Then: events{resolved(payment.AsNotFound)}},
		{Name: "a missing answer says nothing about the shopper", Given: waiting, When: payment.LoseSight{Cause: "timeout"}},
		{Name: "the shopper is waited for no longer", Given: waiting, When: payment.RequestVoid{Reason: "stock-lost"}, Then: events{voidRequested}},
		{Name: "what nobody holds does not expire", Given: waiting, When: payment.Expire{}, Refused: payment.ErrTransition},
		{Name: "a shopper who acts too late pays nothing", Given: with(waiting, voidRequested, voided), When: authorise, Refused: payment.ErrTransition},
	})
}

func TestCaptures(t *testing.T) {
	t.Parallel()
	request := func(id string, amount int64) payment.RequestCapture {
		return payment.RequestCapture{CaptureID: id, Amount: eur(amount)}
	}
	requested := func(id string, amount int64) payment.PaymentCaptureRequested {
		return payment.PaymentCaptureRequested{PaymentID: "p", CaptureID: id, Amount: eur(amount)}
	}
	pending := given(requested("c", 2000))
	failed := given(requested("c", 2000), payment.PaymentCaptureFailed{PaymentID: "p", CaptureID: "c", Code: "expired"})
	final := payment.RequestCapture{CaptureID: "f", Amount: eur(100), Final: true}
	finalRequested := payment.PaymentCaptureRequested{PaymentID: "p", CaptureID: "f", Amount: eur(100), Final: true}
	capture := payment.Capture{CaptureID: "c", GatewayRef: "ch"}
	fail := payment.FailCapture{CaptureID: "c", Code: "expired"}
	unlike := request("c", 2000)
	unlike.Final = true
	dollars := payment.RequestCapture{CaptureID: "c", Amount: domain.Money{Amount: 1, Currency: "USD"}}
	exceeds := payment.ErrExceedsAuthorised
	decidertest.Run(t, payment.Decider, []row{
		{Name: "all of it is asked for", Given: given(), When: request("c", 2500), Then: events{requested("c", 2500)}},
		{Name: "a part of it is asked for", Given: given(), When: request("c", 2000), Then: events{requested("c", 2000)}},
		{Name: "another part is asked for", Given: captured(), When: request("d", 500), Then: events{requested("d", 500)}},
		{
			Name: "more than was authorised is refused", Given: given(), When: request("c", 2501),
			Refused: exceeds.With("authorised", eur(2500)).With("taken", eur(0)).With("requested", eur(2501)),
		},
		{
			Name: "more than is left is refused", Given: captured(), When: request("d", 501),
			Refused: exceeds.With("authorised", eur(2500)).With("taken", eur(2000)).With("requested", eur(501)),
		},
		{Name: "what is about to be captured counts", Given: pending, When: request("d", 501), Refused: exceeds},
		{Name: "what failed does not count", Given: failed, When: request("d", 2500), Then: events{requested("d", 2500)}},
		{Name: "asking again changes nothing", Given: pending, When: request("c", 2000)},
		{Name: "asking again for what is done changes nothing", Given: captured(), When: request("c", 2000)},
		{Name: "asking again for what failed changes nothing", Given: failed, When: request("c", 2000)},
		{Name: "another amount under the same id is refused", Given: captured(), When: request("c", 1), Refused: payment.ErrIDReused.With("capture_id", "c")},
		{Name: "the last capture is not an ordinary one", Given: captured(), When: unlike, Refused: payment.ErrIDReused},
		{Name: "the last capture lets go of the rest", Given: given(), When: final, Then: events{finalRequested}},
		{Name: "after the last capture there is nothing left", Given: given(finalRequested), When: request("d", 1), Refused: exceeds},
		{
			Name: "a last capture that failed was not the last", When: request("d", 2500), Then: events{requested("d", 2500)},
			Given: given(finalRequested, payment.PaymentCaptureFailed{PaymentID: "p", CaptureID: "f", Code: "x"}),
		},
		{Name: "nothing is captured of another currency", Given: given(), When: dollars, Refused: domain.ErrCurrencyMismatch},
		{Name: "nothing cannot be captured", Given: given(), When: request("c", 0), Refused: payment.ErrInvalid},
		{Name: "less than nothing cannot be captured", Given: given(), When: request("c", -1), Refused: payment.ErrInvalid},
		{Name: "what is not authorised is not captured", Given: given()[:1], When: request("c", 1), Refused: payment.ErrTransition},
		{Name: "what is about to be voided is not captured", Given: given(voidRequested), When: request("c", 1), Refused: payment.ErrTransition},
		{Name: "what was voided is not captured", Given: given(voidRequested, voided), When: request("c", 1), Refused: payment.ErrTransition},
		{Name: "what expired is not captured", Given: given(expired), When: request("c", 1), Refused: payment.ErrTransition},
		{Name: "what could not be voided may be captured", Given: given(voidRequested, voidFailed), When: request("c", 1), Then: events{requested("c", 1)}},
		{Name: "the gateway took it", Given: pending, When: capture, Then: events{payment.PaymentCaptured{PaymentID: "p", CaptureID: "c", Amount: eur(2000), GatewayRef: "ch"}}},
		{
			Name: "the gateway took it before time was up, and the answer is late", Given: with(pending, expired), When: capture,
			Then: events{payment.PaymentCaptured{PaymentID: "p", CaptureID: "c", Amount: eur(2000), GatewayRef: "ch"}},
		},
		{Name: "it is taken once", Given: captured(), When: payment.Capture{CaptureID: "c", GatewayRef: "other"}, Refused: payment.ErrTransition},
		{Name: "what nobody asked for is not taken", Given: given(), When: capture, Refused: payment.ErrTransition},
		{Name: "what failed is not taken", Given: failed, When: capture, Refused: payment.ErrTransition},
		{Name: "the gateway refused", Given: pending, When: fail, Then: events{payment.PaymentCaptureFailed{PaymentID: "p", CaptureID: "c", Code: "expired"}}},
		{Name: "what was taken did not fail", Given: captured(), When: fail, Refused: payment.ErrTransition},
		{Name: "what nobody asked for did not fail", Given: given(), When: fail, Refused: payment.ErrTransition},
	})
}

func TestLettingGo(t *testing.T) {
	t.Parallel()
	requestVoid := payment.RequestVoid{Reason: "stock-lost"}
	failVoid := payment.FailVoid{Code: "try-later"}
	pending := payment.PaymentCaptureRequested{PaymentID: "p", CaptureID: "c", Amount: eur(1)}
	whole := given(
		payment.PaymentCaptureRequested{PaymentID: "p", CaptureID: "c", Amount: eur(2500)},
		payment.PaymentCaptured{PaymentID: "p", CaptureID: "c", Amount: eur(2500), GatewayRef: "ch"})
	final := given(
		payment.PaymentCaptureRequested{PaymentID: "p", CaptureID: "c", Amount: eur(1), Final: true},
		payment.PaymentCaptured{PaymentID: "p", CaptureID: "c", Amount: eur(1), GatewayRef: "ch"})
	decidertest.Run(t, payment.Decider, []row{
		{Name: "a void may fail", Given: given(voidRequested), When: failVoid, Then: events{voidFailed}},
		{Name: "a void that failed may be asked for again", Given: given(voidRequested, voidFailed), When: requestVoid, Then: events{voidRequested}},
		{Name: "what was not asked for does not fail", Given: given(), When: failVoid, Refused: payment.ErrTransition},
		{Name: "what was voided did not fail", Given: given(voidRequested, voided), When: failVoid, Refused: payment.ErrTransition},
		{Name: "an unknown outcome stays unknown when the void fails", Given: with(given()[:1], voidRequested, voidFailed), When: payment.Decline{Code: "51"}, Then: events{payment.PaymentDeclined{PaymentID: "p", Code: "51"}}},
		{Name: "the rest is voided after a capture", Given: captured(), When: requestVoid, Then: events{voidRequested}},
		{Name: "nothing is voided while a capture is under way", Given: given(pending), When: requestVoid, Refused: payment.ErrTransition},
		{Name: "where all was captured nothing is left to void", Given: whole, When: requestVoid, Refused: payment.ErrTransition},
		{Name: "where the last was captured nothing is left to void", Given: final, When: requestVoid, Refused: payment.ErrTransition},
		{Name: "time is up", Given: given(), When: payment.Expire{}, Then: events{expired}},
		{Name: "time is up for the rest", Given: captured(), When: payment.Expire{}, Then: events{expired}},
		{Name: "time is up while a void is asked for", Given: given(voidRequested), When: payment.Expire{}, Then: events{expired}},
		{Name: "where all was captured nothing expires", Given: whole, When: payment.Expire{}},
		{Name: "where the last was captured nothing expires", Given: final, When: payment.Expire{}},
		{Name: "what was voided does not expire", Given: given(voidRequested, voided), When: payment.Expire{}},
		{Name: "what expired needs no voiding", Given: given(expired), When: requestVoid},
		{Name: "what expired is let go of", Given: given(voidRequested, expired), When: payment.Void{}},
		{Name: "what nobody asked for does not expire", When: payment.Expire{}, Refused: payment.ErrTransition},
		{Name: "what expired is not authorised again", Given: given(expired), When: payment.Authorise{GatewayRef: "ref"}, Refused: payment.ErrTransition},
	})
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	request := func(id string, amount int64) payment.RequestRefund {
		return payment.RequestRefund{RefundID: id, Amount: eur(amount)}
	}
	requested := func(id string, amount int64) payment.PaymentRefundRequested {
		return payment.PaymentRefundRequested{PaymentID: "p", RefundID: id, Amount: eur(amount)}
	}
	refunded := payment.PaymentRefunded{PaymentID: "p", RefundID: "r", Amount: eur(1500), GatewayRef: "re"}
	pending := captured(requested("r", 1500))
	failed := captured(requested("r", 1500), payment.PaymentRefundFailed{PaymentID: "p", RefundID: "r", Code: "account-closed"})
	refund := payment.Refund{RefundID: "r", GatewayRef: "re"}
	fail := payment.FailRefund{RefundID: "r", Code: "account-closed"}
	chargedBack := payment.PaymentChargedBack{PaymentID: "p", Amount: eur(600), CaseRef: "dp"}
	chargeBack := payment.ChargeBack{Amount: eur(600), CaseRef: "dp"}
	exceeds := payment.ErrExceedsCaptured
	decidertest.Run(t, payment.Decider, []row{
		{Name: "all of it is asked for", Given: captured(), When: request("r", 2000), Then: events{requested("r", 2000)}},
		{Name: "a part of it is asked for", Given: captured(), When: request("r", 1500), Then: events{requested("r", 1500)}},
		{Name: "another part is asked for", Given: with(pending, refunded), When: request("s", 500), Then: events{requested("s", 500)}},
		{
			Name: "more than was captured is refused", Given: captured(), When: request("r", 2001),
			Refused: exceeds.With("captured", eur(2000)).With("taken", eur(0)).With("requested", eur(2001)),
		},
		{Name: "more than is left is refused", Given: with(pending, refunded), When: request("s", 501), Refused: exceeds},
		{Name: "what is about to be refunded counts", Given: pending, When: request("s", 501), Refused: exceeds},
		{Name: "what failed does not count", Given: failed, When: request("s", 2000), Then: events{requested("s", 2000)}},
		{Name: "what is about to be captured is not refunded", Given: given(payment.PaymentCaptureRequested{PaymentID: "p", CaptureID: "c", Amount: eur(2000)}), When: request("r", 1), Refused: exceeds},
		{
			Name: "what the bank took back is not given back again", Given: captured(chargedBack), When: request("r", 1401),
			Refused: exceeds.With("captured", eur(2000)).With("taken", eur(600)).With("requested", eur(1401)),
		},
		{Name: "asking again changes nothing", Given: pending, When: request("r", 1500)},
		{Name: "asking again for what failed changes nothing", Given: failed, When: request("r", 1500)},
		{Name: "another amount under the same id is refused", Given: pending, When: request("r", 1), Refused: payment.ErrIDReused.With("refund_id", "r")},
		{Name: "a refund after the rest was voided", Given: captured(voidRequested, voided), When: request("r", 1500), Then: events{requested("r", 1500)}},
		{Name: "a refund after the rest expired", Given: captured(expired), When: request("r", 1500), Then: events{requested("r", 1500)}},
		{Name: "nothing is refunded in another currency", Given: captured(), When: payment.RequestRefund{RefundID: "r", Amount: domain.Money{Amount: 1, Currency: "USD"}}, Refused: domain.ErrCurrencyMismatch},
		{Name: "nothing cannot be refunded", Given: captured(), When: request("r", 0), Refused: payment.ErrInvalid},
		{Name: "what was never authorised is not refunded", Given: given()[:1], When: request("r", 1), Refused: payment.ErrTransition},
		{Name: "the gateway gave it back", Given: pending, When: refund, Then: events{refunded}},
		{Name: "it is given back once", Given: with(pending, refunded), When: payment.Refund{RefundID: "r", GatewayRef: "other"}, Refused: payment.ErrTransition},
		{Name: "what nobody asked for is not given back", Given: captured(), When: refund, Refused: payment.ErrTransition},
		{Name: "the gateway refused", Given: pending, When: fail, Then: events{payment.PaymentRefundFailed{PaymentID: "p", RefundID: "r", Code: "account-closed"}}},
		{Name: "what was given back did not fail", Given: with(pending, refunded), When: fail, Refused: payment.ErrTransition},
		{Name: "the bank takes it back", Given: captured(), When: chargeBack, Then: events{chargedBack}},
		{Name: "the bank takes back what was refunded", Given: with(pending, refunded), When: chargeBack, Then: events{chargedBack}},
		{Name: "a case has one amount", Given: captured(chargedBack), When: payment.ChargeBack{Amount: eur(1), CaseRef: "dp"}, Refused: payment.ErrIDReused.With("case_ref", "dp")},
		{Name: "the bank cannot take what was not captured", Given: captured(chargedBack), When: payment.ChargeBack{Amount: eur(1401), CaseRef: "dq"}, Refused: exceeds},
		{Name: "the bank cannot take what was not authorised", Given: given()[:1], When: chargeBack, Refused: payment.ErrTransition},
		{Name: "the bank takes money of the same currency", Given: captured(), When: payment.ChargeBack{Amount: domain.Money{Amount: 1, Currency: "USD"}, CaseRef: "dp"}, Refused: domain.ErrCurrencyMismatch},
	})
}

// What a refusal says is allowed is what the payment would take.
func TestARefusalSaysWhatIsAllowed(t *testing.T) {
	t.Parallel()
	pending := payment.PaymentCaptureRequested{PaymentID: "p", CaptureID: "c", Amount: eur(2000)}
	rest := events{
		payment.PaymentCaptureRequested{PaymentID: "p", CaptureID: "d", Amount: eur(500)},
		payment.PaymentCaptured{PaymentID: "p", CaptureID: "d", Amount: eur(500), GatewayRef: "ch2"},
	}
	refunded := payment.PaymentRefundRequested{PaymentID: "p", RefundID: "r", Amount: eur(2000)}
	for name, row := range map[string]struct {
		given events
		want  []string
	}{
		"nothing":                    {},
		"asked for":                  {given()[:1], []string{"request void"}},
		"authorised":                 {given(), []string{"capture", "request void"}},
		"about to be captured":       {given(pending), []string{"capture"}},
		"captured in part":           {captured(), []string{"capture", "refund", "request void"}},
		"captured in part, refunded": {captured(refunded), []string{"capture", "request void"}},
		"captured":                   {captured(rest...), []string{"refund"}},
		"captured, rest let go":      {captured(voidRequested, voided), []string{"refund"}},
		"voided":                     {given(voidRequested, voided), nil},
		"expired":                    {given(expired), nil},
	} {
		state := payment.Decider.Fold(payment.State{}, row.given...)
		_, err := payment.Decider.Decide(state, payment.Refund{RefundID: "nobody's"})
		refusal := (*domain.RuleError)(nil)
		if !errors.As(err, &refusal) {
			t.Fatalf("%s: %v", name, err)
		}
		if allowed, _ := refusal.Details["allowed"].([]string); allowed == nil || !slices.Equal(allowed, row.want) {
			t.Errorf("%s: allowed is %v, want %v", name, allowed, row.want)
		}
		for command, probe := range map[string]payment.Command{
			"capture": payment.RequestCapture{CaptureID: "new", Amount: eur(1)}, "refund": payment.RequestRefund{RefundID: "new", Amount: eur(1)},
			"request void": payment.RequestVoid{Reason: "test"},
		} {
			taken, err := payment.Decider.Decide(state, probe)
			if does := err == nil && len(taken) > 0; does != slices.Contains(row.want, command) {
				t.Errorf("%s: %s gives %v, %v", name, command, taken, err)
			}
		}
	}
}
