package stripe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/stripe"
)

// reply is one answer of Stripe, as its documentation writes it.
type reply struct {
	status int
	body   string
}

// fake answers by "METHOD /path", the last reply for ever, and remembers what
// it was asked. What it does not know is 404, as Stripe's is.
type fake struct {
	*httptest.Server
	replies map[string][]reply
	asked   []string
	last    url.Values
	key     string // the last idempotency key
}

func speaks(t *testing.T, replies map[string][]reply) (*fake, *stripe.Gateway) {
	t.Helper()
	f := &fake{replies: maps.Clone(replies)}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := r.Method + " " + r.URL.Path
		body, _ := io.ReadAll(r.Body)
		f.asked = append(f.asked, call)
		if r.Method == http.MethodPost {
			f.last, _ = url.ParseQuery(string(body))
			f.key = r.Header.Get("Idempotency-Key")
		}
		answers := f.replies[call]
		if len(answers) == 0 {
			answers = []reply{{404, `{"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "No such thing"}}`}}
		}
		if len(answers) > 1 {
			f.replies[call] = answers[1:]
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Request-Id", "req_1")
		w.WriteHeader(answers[0].status)
		_, _ = io.WriteString(w, answers[0].body)
	}))
	t.Cleanup(f.Close)
	return f, gateway(t, f.URL)
}

func (f *fake) count(call string) (n int) {
	for _, a := range f.asked {
		if a == call {
			n++
		}
	}
	return n
}

// intent is a PaymentIntent of 25 EUR under the key "pay-1".
func intent(status, more string) string {
	return fmt.Sprintf(`{"id": "pi_1", "object": "payment_intent", "amount": 2500, "currency": "eur", "created": 1773489600,
		"status": %q, "metadata": {"payment_id": "pay-1"} %s}`, status, more)
}

const charge = `, "latest_charge": {"id": "ch_1", "object": "charge", "amount_refunded": 300, "payment_method_details":
	{"type": "card", "card": {"capture_before": 1774000000, "multicapture": {"status": "available"}}}}`

func refusal(kind, code, more string) string {
	return fmt.Sprintf(`{"error": {"type": %q, "code": %q, "message": "No."%s}}`, kind, code, more)
}

func list(items ...string) string {
	return `{"object": "list", "url": "/v1/x", "has_more": false, "data": [` + strings.Join(items, ",") + `]}`
}

const (
	create   = "POST /v1/payment_intents"
	retrieve = "GET /v1/payment_intents/pi_1"
	search   = "GET /v1/payment_intents/search"
	browse   = "GET /v1/payment_intents"
	cancel   = "POST /v1/payment_intents/pi_1/cancel"
	take     = "POST /v1/payment_intents/pi_1/capture"
	giveBack = "POST /v1/refunds"
	refunds  = "GET /v1/refunds"
)

func authorise(g payment.Gateway, ctx context.Context) (payment.Authorisation, error) { //nolint:revive // reads better so
	return g.Authorise(ctx, payment.Authorise{Key: "pay-1", Method: "stripe:pm_card_visa", Amount: eur(2500)})
}

func TestWhatBecomesOfAnAuthorisation(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		reply reply
		want  payment.Authorisation
		err   error
	}{
		{
			"authorised",
			reply{200, intent("requires_capture", charge)},
			payment.Authorisation{Ref: "pi_1", Status: payment.Authorised, Amount: eur(2500), Captured: eur(0), Refunded: eur(300), ExpiresAt: time.Unix(1774000000, 0).UTC()},
			nil,
		},
		{
			"authorised, of which Stripe says little",
			reply{200, intent("requires_capture", "")},
			payment.Authorisation{Ref: "pi_1", Status: payment.Authorised, Amount: eur(2500), Captured: eur(0), Refunded: eur(0), ExpiresAt: time.Unix(1773489600, 0).Add(7 * 24 * time.Hour).UTC(), Once: true},
			nil,
		},
		{
			"captured",
			reply{200, intent("succeeded", `, "amount_received": 2000`)},
			payment.Authorisation{Ref: "pi_1", Status: payment.Authorised, Amount: eur(2500), Captured: eur(2000), Refunded: eur(0), Once: true},
			nil,
		},
		{
			"3-D Secure",
			reply{200, intent("requires_action", `, "next_action": {"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.stripe.com/3ds"}}`)},
			payment.Authorisation{Ref: "pi_1", Status: payment.ActionRequired, Amount: eur(2500), Captured: eur(0), Refunded: eur(0), ActionURL: "https://hooks.stripe.com/3ds", Once: true},
			nil,
		},
		{
			"declined afterwards",
			reply{200, intent("requires_payment_method", `, "last_payment_error": {"type": "card_error", "code": "card_declined", "decline_code": "lost_card", "message": "Declined."}`)},
			payment.Authorisation{Ref: "pi_1", Status: payment.Declined, Amount: eur(2500), Captured: eur(0), Refunded: eur(0), Code: "lost_card", Message: "Declined.", Once: true},
			nil,
		},
		{
			"the shopper cancelled",
			reply{200, intent("canceled", `, "cancellation_reason": "requested_by_customer"`)},
			payment.Authorisation{Ref: "pi_1", Status: payment.Voided, Amount: eur(2500), Captured: eur(0), Refunded: eur(0), Once: true},
			nil,
		},
		{
			"time was up",
			reply{200, intent("canceled", `, "cancellation_reason": "automatic"`)},
			payment.Authorisation{Ref: "pi_1", Status: payment.Expired, Amount: eur(2500), Captured: eur(0), Refunded: eur(0), Once: true},
			nil,
		},
		{
			"declined",
			reply{402, refusal("card_error", "card_declined", `, "decline_code": "insufficient_funds", "payment_intent": `+intent("requires_payment_method", ""))},
			payment.Authorisation{Ref: "pi_1", Status: payment.Declined, Amount: eur(2500), Code: "insufficient_funds", Message: "No."},
			nil,
		},
		{
			"the shopper would have to act",
			reply{402, refusal("card_error", "authentication_required", "")},
			payment.Authorisation{Status: payment.Declined, Amount: eur(2500), Code: "authentication_required", Message: "No."},
			nil,
		},
		{
			"too little",
			reply{400, refusal("invalid_request_error", "amount_too_small", `, "param": "amount"`)},
			payment.Authorisation{Status: payment.Declined, Amount: eur(2500), Code: "amount_too_small", Message: "No."},
			nil,
		},
		{"no such card", reply{400, refusal("invalid_request_error", "resource_missing", `, "param": "payment_method"`)}, payment.Authorisation{}, payment.ErrUnsupportedMethod},
		{"the bank is thinking", reply{200, intent("processing", "")}, payment.Authorisation{}, payment.ErrUnknownOutcome},
		{"the key is in use", reply{409, refusal("invalid_request_error", "idempotency_key_in_use", "")}, payment.Authorisation{}, payment.ErrUnknownOutcome},
		{"the key was used otherwise", reply{400, refusal("idempotency_error", "", "")}, payment.Authorisation{}, payment.ErrUnknownOutcome},
		{"Stripe fails", reply{500, refusal("api_error", "", "")}, payment.Authorisation{}, payment.ErrFailed},
		{"a proxy fails", reply{502, "<html>Bad gateway</html>"}, payment.Authorisation{}, payment.ErrUnknownOutcome},
		{"the answer is cut off", reply{200, `{"id": "pi_`}, payment.Authorisation{}, payment.ErrUnknownOutcome},
		{"too many requests", reply{429, refusal("invalid_request_error", "rate_limit", "")}, payment.Authorisation{}, payment.ErrNotSent},
		{"the account's key is wrong", reply{401, refusal("invalid_request_error", "", "")}, payment.Authorisation{}, payment.ErrNotSent},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f, g := speaks(t, map[string][]reply{create: {row.reply}})
			got, err := authorise(g, t.Context())
			if !errors.Is(err, row.err) || row.err == nil && err != nil {
				t.Errorf("error is %v, want %v", err, row.err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if len(f.asked) != 1 {
				t.Errorf("Stripe was asked %q, want once", f.asked)
			}
		})
	}
}

func TestAnswersThatDoNotComeAreUnknownOutcomesAndNothingIsRepeated(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	hangs := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Idempotency-Key") == "pay-1" {
			<-hangs
			return
		}
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	defer close(hangs)
	g, err := stripe.New(stripe.Config{Key: "sk_test_123", URL: server.URL, Timeout: 50 * time.Millisecond, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := authorise(g, t.Context()); !errors.Is(err, payment.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a time-out: %v", err)
	}
	if _, err := g.Authorise(t.Context(), payment.Authorise{Key: "pay-2", Method: "stripe:pm_1", Amount: eur(1)}); !errors.Is(err, payment.ErrUnknownOutcome) {
		t.Errorf("a connection that breaks: %v", err)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want once each", n)
	}
	dead := httptest.NewServer(nil)
	dead.Close()
	if _, err := authorise(gateway(t, dead.URL), t.Context()); !errors.Is(err, payment.ErrNotSent) {
		t.Errorf("nobody is there: %v", err)
	}
}

func TestWhatStripeIsAskedFor(t *testing.T) {
	t.Parallel()
	f, g := speaks(t, map[string][]reply{create: {{200, intent("requires_capture", "")}}})
	if _, err := authorise(g, t.Context()); err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"amount": {"2500"}, "currency": {"eur"}, "payment_method": {"pm_card_visa"}, "capture_method": {"manual"}, "confirm": {"true"},
		"automatic_payment_methods[enabled]": {"true"}, "automatic_payment_methods[allow_redirects]": {"never"}, "error_on_requires_action": {"true"},
		"payment_method_options[card][request_multicapture]": {"if_available"}, "metadata[payment_id]": {"pay-1"}, "expand[0]": {"latest_charge"},
	}
	if diff := cmp.Diff(want, f.last); diff != "" || f.key != "pay-1" {
		t.Errorf("key %s, form (-want +got):\n%s", f.key, diff)
	}
	if _, err := g.Authorise(t.Context(), payment.Authorise{Key: "pay-2", Method: "stripe:pm_1", Amount: eur(1), ReturnURL: "https://shop.example/"}); err != nil {
		t.Fatal(err)
	}
	if f.last.Get("return_url") != "https://shop.example/" || f.last.Has("error_on_requires_action") || f.last.Has("automatic_payment_methods[allow_redirects]") {
		t.Errorf("with a way back: %v", f.last)
	}
	for _, method := range []string{"sandbox:approved", "stripe:", "pm_1"} {
		if _, err := g.Authorise(t.Context(), payment.Authorise{Key: "pay-3", Method: method, Amount: eur(1)}); !errors.Is(err, payment.ErrUnsupportedMethod) {
			t.Errorf("%q: %v", method, err)
		}
	}
	if got, err := g.Authorise(t.Context(), payment.Authorise{Key: "pay-4", Method: "stripe:pm_1", Amount: domain.Money{Amount: 1234, Currency: "KWD"}}); err != nil || got.Code != "amount-not-representable" {
		t.Errorf("an amount that Stripe cannot write: %+v, %v", got, err)
	}
}

func TestAPaymentIsFoundByItsKey(t *testing.T) {
	t.Parallel()
	ours, other := intent("requires_capture", charge), strings.ReplaceAll(intent("requires_capture", ""), "pay-1", "pay-9")
	many := `{"object": "list", "url": "/v1/payment_intents", "has_more": true, "data": [` + strings.Repeat(other+",", 99) + other + `]}`
	for _, row := range []struct {
		name    string
		replies map[string][]reply
		err     error
		asked   []string
	}{
		{"the search knows it", map[string][]reply{search: {{200, list(ours)}}}, nil, []string{search}},
		{"the search lags", map[string][]reply{search: {{200, list()}}, browse: {{200, list(other, ours)}}}, nil, []string{search, browse}},
		{"it is nowhere", map[string][]reply{search: {{200, list(other)}}, browse: {{200, list(other)}}}, payment.ErrNotFound, []string{search, browse}},
		{"Stripe fails", map[string][]reply{search: {{500, refusal("api_error", "", "")}}}, payment.ErrUnknownOutcome, []string{search}},
		{"there are too many to tell", map[string][]reply{search: {{200, list()}}, browse: {{200, many}}}, payment.ErrUnknownOutcome, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f, g := speaks(t, row.replies)
			got, err := g.Find(t.Context(), "pay-1")
			if !errors.Is(err, row.err) || errors.Is(err, payment.ErrNotFound) != (row.err == payment.ErrNotFound) { //nolint:errorlint // the very one
				t.Errorf("error is %v, want %v", err, row.err)
			}
			if err == nil && (got.Status != payment.Authorised || got.Once) {
				t.Errorf("found %+v", got)
			}
			if diff := cmp.Diff(row.asked, f.asked); row.asked != nil && diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
	f, g := speaks(t, map[string][]reply{create: {{200, ours}}, retrieve: {{200, ours}}})
	if _, err := authorise(g, t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Find(t.Context(), "pay-1"); err != nil || !slices.Equal(f.asked, []string{create, retrieve}) {
		t.Errorf("what was just authorised: %v, asked %q", err, f.asked)
	}
}

func TestVoid(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		before  string
		replies []reply // of the cancellation
		after   string
		want    payment.Status
		refused string
		err     error
	}{
		{"what is held", "requires_capture", []reply{{200, intent("canceled", "")}}, "", payment.Voided, "", nil},
		{"what a shopper was to confirm", "requires_action", []reply{{200, intent("canceled", "")}}, "", payment.Voided, "", nil},
		{"what was voided", "canceled", nil, "", payment.Voided, "", nil},
		{"what was captured", "succeeded", nil, "", "", "already-captured", nil},
		{"somebody voided it meanwhile", "requires_capture", []reply{{400, refusal("invalid_request_error", "payment_intent_unexpected_state", "")}}, "canceled", payment.Voided, "", nil},
		{"somebody captured it meanwhile", "requires_capture", []reply{{400, refusal("invalid_request_error", "payment_intent_unexpected_state", "")}}, "succeeded", "", "payment_intent_unexpected_state", nil},
		{"Stripe fails", "requires_capture", []reply{{503, refusal("api_error", "", "")}}, "", "", "", payment.ErrUnknownOutcome},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f, g := speaks(t, map[string][]reply{
				search: {{200, list(intent(row.before, ""))}}, cancel: row.replies, retrieve: {{200, intent(row.after, "")}},
			})
			got, err := g.Void(t.Context(), "pay-1")
			var refused *payment.RefusedError
			switch {
			case row.refused != "":
				if !errors.As(err, &refused) || refused.Code != row.refused {
					t.Errorf("error is %v, want %s", err, row.refused)
				}
			case !errors.Is(err, row.err) || row.err == nil && err != nil || got.Status != row.want:
				t.Errorf("%+v, %v; want %s, %v", got, err, row.want, row.err)
			}
			if f.count(cancel) != len(row.replies) {
				t.Errorf("asked %q", f.asked)
			}
		})
	}
}

// A request of ours that timed out may reach Stripe after we gave it up.
func TestVoidingWhatStripeDoesNotKnowUsesItsKeyUp(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		reply reply
		want  payment.Status
		err   error
		asked []string
	}{
		{"it never comes", reply{200, intent("requires_payment_method", "")}, payment.Voided, nil, []string{search, browse, create, cancel}},
		{"it came, and the search lags", reply{400, refusal("idempotency_error", "", "")}, "", payment.ErrUnknownOutcome, []string{search, browse, create}},
		{"it is under way", reply{409, refusal("invalid_request_error", "idempotency_key_in_use", "")}, "", payment.ErrUnknownOutcome, []string{search, browse, create}},
		{"Stripe does not make such intents", reply{400, refusal("invalid_request_error", "currency_not_supported", "")}, "", payment.ErrNotFound, []string{search, browse, create}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f, g := speaks(t, map[string][]reply{search: {{200, list()}}, browse: {{200, list()}}, create: {row.reply}, cancel: {{200, intent("canceled", "")}}})
			got, err := g.Void(t.Context(), "pay-1")
			if !errors.Is(err, row.err) || row.err == nil && err != nil || got.Status != row.want {
				t.Errorf("%+v, %v; want %s, %v", got, err, row.want, row.err)
			}
			if diff := cmp.Diff(row.asked, f.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if f.asked[len(f.asked)-1] == create && (f.key != "pay-1" || f.last.Has("confirm") || f.last.Has("payment_method")) {
				t.Errorf("key %s, form %v", f.key, f.last)
			}
		})
	}
}

func TestCapture(t *testing.T) {
	t.Parallel()
	held := reply{200, intent("requires_capture", charge)}
	taken := reply{200, strings.Replace(intent("succeeded", charge), `"payment_id": "pay-1"`, `"payment_id": "pay-1", "c-cap-1": "1000"`, 1)}
	for _, row := range []struct {
		name    string
		before  reply
		capture []reply
		want    payment.Movement
		err     error
	}{
		{"a part is taken", held, []reply{taken}, payment.Movement{Status: payment.Done, Ref: "ch_1"}, nil},
		{"what was taken is not taken again", taken, nil, payment.Movement{Status: payment.Done, Ref: "ch_1"}, nil},
		{"it is too much", held, []reply{{400, refusal("invalid_request_error", "amount_too_large", "")}}, payment.Movement{Status: payment.Failed, Code: "amount_too_large", Message: "No."}, nil},
		{"time is up", held, []reply{{402, refusal("card_error", "charge_expired_for_capture", "")}}, payment.Movement{Status: payment.Failed, Code: "charge_expired_for_capture", Message: "No."}, nil},
		{"Stripe fails", held, []reply{{500, refusal("api_error", "", "")}}, payment.Movement{}, payment.ErrUnknownOutcome},
		{"another is under way", held, []reply{{409, refusal("invalid_request_error", "lock_timeout", "")}}, payment.Movement{}, payment.ErrUnknownOutcome},
		{"Stripe has no time", held, []reply{{429, refusal("invalid_request_error", "rate_limit", "")}}, payment.Movement{}, payment.ErrNotSent},
		{"there is nothing", reply{404, refusal("invalid_request_error", "resource_missing", "")}, nil, payment.Movement{}, payment.ErrNotFound},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f, g := speaks(t, map[string][]reply{retrieve: {row.before}, take: row.capture})
			got, err := g.Capture(t.Context(), payment.Capture{Key: "pay-1", Ref: "pi_1", ID: "cap-1", Amount: eur(1000)})
			if row.want.Status != "" {
				row.want.Kind, row.want.ID, row.want.Amount = payment.Captures, "cap-1", eur(1000)
			}
			if diff := cmp.Diff(row.want, got); diff != "" || !errors.Is(err, row.err) || row.err == nil && err != nil {
				t.Errorf("%v, want %v (-want +got):\n%s", err, row.err, diff)
			}
			if f.count(take) != len(row.capture) {
				t.Errorf("asked %q", f.asked)
			}
		})
	}
	f, g := speaks(t, map[string][]reply{retrieve: {held}, take: {taken}, search: {{200, list(intent("requires_capture", ""))}}})
	capture := payment.Capture{Key: "pay-1", ID: "cap-1", Amount: eur(1000)}
	if _, err := g.Capture(t.Context(), capture); err != nil {
		t.Fatal(err)
	}
	want := url.Values{"amount_to_capture": {"1000"}, "final_capture": {"false"}, "metadata[c-cap-1]": {"1000"}}
	if diff := cmp.Diff(want, f.last); diff != "" || f.key != "pay-1/cap-1" {
		t.Errorf("key %s, form (-want +got):\n%s", f.key, diff)
	}
	capture.Final = true
	if _, err := g.Capture(t.Context(), capture); err != nil || f.last.Has("final_capture") {
		t.Errorf("the last one: %v, %v", f.last, err)
	}
	long := capture
	long.ID = strings.Repeat("x", 100)
	if _, err := g.Capture(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	for name := range f.last {
		if key, ok := strings.CutPrefix(name, "metadata["); ok && len(key) != 41 {
			t.Errorf("Stripe does not take %q", name)
		}
	}
	odd := capture
	odd.ID = "a[1]"
	if _, err := g.Capture(t.Context(), odd); err != nil || f.last.Has("metadata[c-a[1]]") {
		t.Errorf("a name with brackets, which Stripe does not take: %v, %v", f.last, err)
	}
	_, g = speaks(t, map[string][]reply{retrieve: {taken}})
	if _, err := g.Capture(t.Context(), payment.Capture{Ref: "pi_1", ID: "cap-1", Amount: eur(1)}); err == nil {
		t.Error("an id was taken for another amount")
	}
	if m, err := g.FindCapture(t.Context(), payment.Capture{Ref: "pi_1", ID: "cap-1"}); err != nil || m.Amount != eur(1000) || m.Status != payment.Done {
		t.Errorf("find: %+v, %v", m, err)
	}
	if _, err := g.FindCapture(t.Context(), payment.Capture{Ref: "pi_1", ID: "cap-2"}); !errors.Is(err, payment.ErrNotFound) {
		t.Errorf("find another: %v", err)
	}
}

func refundJSON(id, status, more string) string {
	return fmt.Sprintf(`{"id": "re_1", "object": "refund", "amount": 500, "currency": "eur", "status": %q,
		"payment_intent": "pi_1", "metadata": {"payment_id": "pay-1", "refund_id": %q} %s}`, status, id, more)
}

func TestRefund(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		known  string // in the list
		refund []reply
		want   payment.Movement
		err    error
	}{
		{"it is given back", list(), []reply{{200, refundJSON("ref-1", "succeeded", "")}}, payment.Movement{Ref: "re_1", Status: payment.Done}, nil},
		{"the bank takes its time", list(), []reply{{200, refundJSON("ref-1", "pending", "")}}, payment.Movement{Ref: "re_1", Status: payment.Pending}, nil},
		{"the account is closed", list(), []reply{{200, refundJSON("ref-1", "failed", `, "failure_reason": "expired_or_canceled_card"`)}}, payment.Movement{Ref: "re_1", Status: payment.Failed, Code: "expired_or_canceled_card", Message: "the refund is failed"}, nil},
		{"it was given back, perhaps long ago", list(refundJSON("ref-0", "succeeded", ""), refundJSON("ref-1", "succeeded", "")), nil, payment.Movement{Ref: "re_1", Status: payment.Done}, nil},
		{"another was given back", list(refundJSON("ref-0", "succeeded", "")), []reply{{200, refundJSON("ref-1", "succeeded", "")}}, payment.Movement{Ref: "re_1", Status: payment.Done}, nil},
		{"it is too much", list(), []reply{{400, refusal("invalid_request_error", "charge_already_refunded", "")}}, payment.Movement{Status: payment.Failed, Code: "charge_already_refunded", Message: "No."}, nil},
		{"Stripe fails", list(), []reply{{500, refusal("api_error", "", "")}}, payment.Movement{}, payment.ErrUnknownOutcome},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f, g := speaks(t, map[string][]reply{refunds: {{200, row.known}}, giveBack: row.refund})
			got, err := g.Refund(t.Context(), payment.Refund{Key: "pay-1", Ref: "pi_1", ID: "ref-1", Amount: eur(500)})
			if row.want.Status != "" {
				row.want.Kind, row.want.ID, row.want.Amount = payment.Refunds, "ref-1", eur(500)
			}
			if diff := cmp.Diff(row.want, got); diff != "" || !errors.Is(err, row.err) || row.err == nil && err != nil {
				t.Errorf("%v, want %v (-want +got):\n%s", err, row.err, diff)
			}
			if f.count(giveBack) != len(row.refund) {
				t.Errorf("asked %q", f.asked)
			}
			if want := (url.Values{"amount": {"500"}, "payment_intent": {"pi_1"}, "metadata[payment_id]": {"pay-1"}, "metadata[refund_id]": {"ref-1"}}); len(row.refund) > 0 && (f.key != "pay-1/ref-1" || !cmp.Equal(want, f.last)) {
				t.Errorf("key %s, form %v", f.key, f.last)
			}
		})
	}
	_, g := speaks(t, map[string][]reply{refunds: {{200, list(refundJSON("ref-1", "pending", ""))}}, search: {{200, list(intent("succeeded", ""))}}})
	if _, err := g.Refund(t.Context(), payment.Refund{Ref: "pi_1", ID: "ref-1", Amount: eur(1)}); err == nil {
		t.Error("an id was taken for another amount")
	}
	if m, err := g.FindRefund(t.Context(), payment.Refund{Key: "pay-1", ID: "ref-1"}); err != nil || m.Status != payment.Pending {
		t.Errorf("find: %+v, %v", m, err)
	}
	if _, err := g.FindRefund(t.Context(), payment.Refund{Key: "pay-1", ID: "ref-2"}); !errors.Is(err, payment.ErrNotFound) {
		t.Errorf("find another: %v", err)
	}
}

// What Stripe knows of the shopper must not come into our logs.
func TestErrorsDoNotTellWhoTheShopperIs(t *testing.T) {
	t.Parallel()
	person := `, "payment_method": {"id": "pm_1", "billing_details": {"name": "Jane Doe"}}`
	for _, r := range []reply{{500, refusal("api_error", "", person)}, {409, refusal("invalid_request_error", "", person)}, {429, refusal("invalid_request_error", "", person)}, {404, refusal("invalid_request_error", "", person)}, {400, refusal("invalid_request_error", "", person)}} {
		_, g := speaks(t, map[string][]reply{create: {r}, retrieve: {r}, search: {r}})
		_, err := authorise(g, t.Context())
		_, other := g.FindCapture(t.Context(), payment.Capture{Ref: "pi_1"})
		_, third := g.Find(t.Context(), "pay-2")
		if text := fmt.Sprint(err, other, third); strings.Contains(text, "Jane") {
			t.Errorf("%d: %s", r.status, text)
		}
	}
}
