package stripe_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-go/v85/webhook"

	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/stripe"
)

const secret = "whsec_test"

func event(kind, object string) []byte {
	return fmt.Appendf(nil, `{"id": "evt_1", "object": "event", "api_version": "2020-08-27", "type": %q, "data": {"object": %s}}`, kind, object)
}

func signed(body []byte, secret string, at time.Time) http.Header {
	payload := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: secret, Timestamp: at})
	return http.Header{"Stripe-Signature": {payload.Header}}
}

func TestCallbacksAreVerified(t *testing.T) {
	t.Parallel()
	_, g := speaks(t, nil)
	body := event("payment_intent.succeeded", intent("succeeded", ""))
	changed := append([]byte(" "), body...)
	for _, row := range []struct {
		name   string
		header http.Header
		body   []byte
		want   error
	}{
		{"ours", signed(body, secret, time.Now()), body, nil},
		{"changed", signed(body, secret, time.Now()), changed, payment.ErrBadSignature},
		{"of another secret", signed(body, "whsec_other", time.Now()), body, payment.ErrBadSignature},
		{"old", signed(body, secret, time.Now().Add(-6*time.Minute)), body, payment.ErrBadSignature},
		{"not signed", nil, body, payment.ErrBadSignature},
		{"signed with nonsense", http.Header{"Stripe-Signature": {"x"}}, body, payment.ErrBadSignature},
		{"not JSON", signed([]byte("x"), secret, time.Now()), []byte("x"), payment.ErrBadCallback},
		{"no event", signed([]byte("{}"), secret, time.Now()), []byte("{}"), payment.ErrBadCallback},
		{"an event of nothing", signed([]byte(`{"object": "event"}`), secret, time.Now()), []byte(`{"object": "event"}`), payment.ErrBadCallback},
		{"an intent that is none", signed(event("payment_intent.succeeded", `{"amount": "x"}`), secret, time.Now()), event("payment_intent.succeeded", `{"amount": "x"}`), payment.ErrBadCallback},
	} {
		if _, err := g.Callback(t.Context(), row.header, row.body); !errors.Is(err, row.want) || row.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
	open, err := stripe.New(stripe.Config{Key: "sk_test_123", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open.Callback(t.Context(), signed(body, "", time.Now()), body); !errors.Is(err, payment.ErrBadSignature) {
		t.Errorf("without a secret everybody is believed: %v", err)
	}
}

func TestWhatCallbacksTell(t *testing.T) {
	t.Parallel()
	state := func(status payment.Status) payment.Authorisation {
		return payment.Authorisation{Ref: "pi_1", Status: status, Amount: eur(2500), Captured: eur(0), Refunded: eur(0), Once: true}
	}
	held, declined := state(payment.Authorised), state(payment.Declined)
	held.ExpiresAt = time.Unix(1773489600, 0).Add(7 * 24 * time.Hour).UTC()
	declined.Code = "requires_payment_method"
	refund := payment.Movement{Kind: payment.Refunds, ID: "ref-1", Ref: "re_1", Status: payment.Done, Amount: eur(500)}
	unnamed := refund
	unnamed.ID = ""
	dispute := `{"id": "dp_1", "object": "dispute", "amount": 700, "currency": "eur", "payment_intent": "pi_1", "charge": "ch_1"}`
	chargeback := payment.Chargeback{CaseRef: "dp_1", Amount: eur(700)}
	nobody := `{"id": "pi_1", "object": "payment_intent", "amount": 2500, "currency": "eur", "status": "succeeded", "metadata": {}}`
	ours := map[string][]reply{retrieve: {{200, intent("succeeded", "")}}}
	for _, row := range []struct {
		name, kind, object string
		stripe             map[string][]reply
		want               payment.Callback
		err                error
	}{
		{"held", "payment_intent.amount_capturable_updated", intent("requires_capture", `, "latest_charge": "ch_1"`), nil, payment.Callback{Kind: payment.TellsAuthorisation, Key: "pay-1", Ref: "pi_1", Authorisation: held}, nil},
		{"captured", "payment_intent.succeeded", intent("succeeded", ""), nil, payment.Callback{Kind: payment.TellsAuthorisation, Key: "pay-1", Ref: "pi_1", Authorisation: state(payment.Authorised)}, nil},
		{"voided", "payment_intent.canceled", intent("canceled", ""), nil, payment.Callback{Kind: payment.TellsAuthorisation, Key: "pay-1", Ref: "pi_1", Authorisation: state(payment.Voided)}, nil},
		{"expired", "payment_intent.canceled", intent("canceled", `, "cancellation_reason": "automatic"`), nil, payment.Callback{Kind: payment.TellsAuthorisation, Key: "pay-1", Ref: "pi_1", Authorisation: state(payment.Expired)}, nil},
		{"declined", "payment_intent.payment_failed", intent("requires_payment_method", ""), nil, payment.Callback{Kind: payment.TellsAuthorisation, Key: "pay-1", Ref: "pi_1", Authorisation: declined}, nil},
		{"to be confirmed", "payment_intent.requires_action", intent("requires_action", ""), nil, payment.Callback{Kind: payment.TellsAuthorisation, Key: "pay-1", Ref: "pi_1", Authorisation: state(payment.ActionRequired)}, nil},
		{"under way", "payment_intent.succeeded", intent("processing", ""), nil, payment.Callback{Kind: payment.TellsOther, Key: "pay-1", Ref: "pi_1"}, nil},
		{"of somebody else", "payment_intent.succeeded", nobody, nil, payment.Callback{Kind: payment.TellsOther, Ref: "pi_1"}, nil},
		{"refunded", "refund.updated", refundJSON("ref-1", "succeeded", ""), nil, payment.Callback{Kind: payment.TellsMovement, Key: "pay-1", Ref: "pi_1", Movement: refund}, nil},
		{"refunded, as it was told formerly", "charge.refund.updated", refundJSON("ref-1", "succeeded", ""), nil, payment.Callback{Kind: payment.TellsMovement, Key: "pay-1", Ref: "pi_1", Movement: refund}, nil},
		{"refunded by hand", "refund.created", `{"id": "re_1", "object": "refund", "amount": 500, "currency": "eur", "status": "succeeded", "payment_intent": "pi_1", "metadata": {}}`, ours, payment.Callback{Kind: payment.TellsMovement, Key: "pay-1", Ref: "pi_1", Movement: unnamed}, nil},
		{"charged back", "charge.dispute.funds_withdrawn", dispute, ours, payment.Callback{Kind: payment.TellsChargeback, Key: "pay-1", Ref: "pi_1", Chargeback: chargeback}, nil},
		{"charged back, of what Stripe does not know any more", "charge.dispute.funds_withdrawn", dispute, nil, payment.Callback{Kind: payment.TellsOther, Ref: "pi_1", Chargeback: chargeback}, nil},
		{"charged back, while Stripe cannot be asked", "charge.dispute.funds_withdrawn", dispute, map[string][]reply{retrieve: {{500, refusal("api_error", "", "")}}}, payment.Callback{}, payment.ErrUnknownOutcome},
		{"something else", "customer.created", `{"id": "cus_1", "object": "customer"}`, nil, payment.Callback{Kind: payment.TellsOther}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, g := speaks(t, row.stripe)
			body := event(row.kind, row.object)
			if row.err == nil {
				row.want.ID = "evt_1"
			}
			got, err := g.Callback(t.Context(), signed(body, secret, time.Now()), body)
			if diff := cmp.Diff(row.want, got); diff != "" || !errors.Is(err, row.err) || row.err == nil && err != nil {
				t.Errorf("%v, want %v (-want +got):\n%s", err, row.err, diff)
			}
		})
	}
}
