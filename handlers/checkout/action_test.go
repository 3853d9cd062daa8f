package checkout_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/handlers/checkout"
)

const back = "https://shop.example/thanks"

// acting places an order that the shopper has to confirm.
func acting(t *testing.T, p *process, key string, units int) (checkout.Place, domaincheckout.State) {
	t.Helper()
	request := place(key, "sandbox:action", line("A", units))
	request.Cart.ReturnURL = back
	o, err := p.Place(t.Context(), request)
	if must(t, o, err); o.Refused != nil || o.Checkout.Step != domaincheckout.ActionRequired || o.Checkout.ActionURL == "" {
		t.Fatalf("step %s, refused %v, action %q", o.Checkout.Step, o.Refused, o.Checkout.ActionURL)
	}
	return request, o.Checkout
}

// decide is the shopper at the gateway's page.
func decide(t *testing.T, page, outcome string) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	response, err := client.PostForm(page, url.Values{"outcome": {outcome}})
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got := response.Header.Get("Location"); got != back {
		t.Errorf("the shopper is sent to %q, want %q", got, back)
	}
}

func both(cs ...*clock) func(time.Duration) {
	return func(d time.Duration) {
		for _, c := range cs {
			c.advance(d)
		}
	}
}

func TestAShopperConfirmsAndRecoveryPlacesTheOrder(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	request, waiting := acting(t, p, "k", 2)
	if want := noon.Add(15 * time.Minute); !waiting.ActionExpiresAt.Equal(want) {
		t.Errorf("the shopper has time until %v, want %v", waiting.ActionExpiresAt, want)
	}
	recovery := p.recovery(waiting.CheckoutID)
	step := func() domaincheckout.Step {
		if err := recovery.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		o, err := p.Get(t.Context(), waiting.CheckoutID)
		return must(t, o, err).Checkout.Step
	}
	pass := both(&c, w.clock)
	for range 3 {
		pass(4 * time.Minute)
		if got := step(); got != domaincheckout.ActionRequired {
			t.Fatalf("step %s before the shopper decided", got)
		}
	}
	if s := p.item(t, "A"); s.Reserved != 2 {
		t.Errorf("%d reserved while the shopper decides, want 2", s.Reserved)
	}
	decide(t, waiting.ActionURL, "approve")
	pass(15 * time.Second)
	if got := step(); got != domaincheckout.Completed {
		t.Fatalf("step %s after the shopper confirmed", got)
	}
	o, err := p.Place(t.Context(), request)
	if must(t, o, err); o.Order.OrderID == "" || !o.Replayed {
		t.Errorf("outcome %+v", o)
	}
	if status, asked := w.ledger(t, waiting.PaymentID); status != "authorised" || asked != 1 {
		t.Errorf("the gateway has %q, asked %d times", status, asked)
	}
}

func TestARepeatedRequestFindsTheShoppersDecision(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[string]*domain.RuleError{"approve": nil, "decline": domaincheckout.ErrDeclined} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			var c clock
			w := newWorld(t, "")
			p := w.process(t, &c)
			p.offer(t, "A", 5)
			request, waiting := acting(t, p, "k", 2)
			decide(t, waiting.ActionURL, outcome)
			o, err := p.Place(t.Context(), request)
			must(t, o, err)
			if want != nil {
				refusedBy(t, o, want)
				if s := p.item(t, "A"); s.Reserved != 2 {
					t.Errorf("%d reserved, want 2 for another payment", s.Reserved)
				}
				o, err = p.Pay(t.Context(), checkout.Pay{CheckoutID: waiting.CheckoutID, RequestID: "1", Method: "sandbox:approved"})
				must(t, o, err)
			}
			if o.Refused != nil || o.Order.OrderID == "" {
				t.Errorf("step %s, refused %v", o.Checkout.Step, o.Refused)
			}
		})
	}
}

func TestAnActionThatExpiresIsDeclinedAndCannotBeConfirmedAnyMore(t *testing.T) {
	t.Parallel()
	for name, tells := range map[string]bool{"the gateway says so": true, "our time is up first": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c clock
			w := newWorld(t, "")
			p := w.process(t, &c)
			p.offer(t, "A", 5)
			_, waiting := acting(t, p, "k", 2)
			pass := both(&c)
			if tells {
				pass = both(&c, w.clock)
			}
			pass(15*time.Minute + time.Second)
			if err := p.recovery(waiting.CheckoutID).Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			o, err := p.Get(t.Context(), waiting.CheckoutID)
			refusedBy(t, must(t, o, err), domaincheckout.ErrDeclined)
			decide(t, waiting.ActionURL, "approve")
			if status, _ := w.ledger(t, waiting.PaymentID); status == "authorised" {
				t.Error("the shopper paid for nothing")
			}
			pass(6 * time.Minute)
			if err := p.recovery(waiting.CheckoutID).Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s := p.item(t, "A"); s.Available() != 5 {
				t.Errorf("%d available, want 5", s.Available())
			}
		})
	}
}

func TestWithoutAnAddressToComeBackToAnActionIsDeclined(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	o, err := p.Place(t.Context(), place("k", "sandbox:action", line("A", 2)))
	refusedBy(t, must(t, o, err), domaincheckout.ErrDeclined)
	if o.Checkout.DeclineCode != "authentication-required" {
		t.Errorf("declined with %q", o.Checkout.DeclineCode)
	}
}

func TestNoMoreThanFivePaymentsAreTried(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	o, err := p.Place(t.Context(), place("k", "sandbox:declined", line("A", 2)))
	id := must(t, o, err).Checkout.CheckoutID
	for i := range domaincheckout.MaxPayments {
		want := domaincheckout.ErrDeclined
		if i == domaincheckout.MaxPayments-1 {
			want = domaincheckout.ErrTooManyPayments
		}
		o, err = p.Pay(t.Context(), checkout.Pay{CheckoutID: id, RequestID: string(rune('a' + i)), Method: "sandbox:declined"})
		refusedBy(t, must(t, o, err), want)
	}
	entries, err := w.sandbox.Entries(t.Context())
	if err != nil || len(entries) != domaincheckout.MaxPayments {
		t.Errorf("%d attempts at the gateway, %v; want %d", len(entries), err, domaincheckout.MaxPayments)
	}
}

func TestACardNumberIsStoredNowhere(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	store := &counting{Store: w.process(t, &c).Store}
	p := w.processOn(t, &c, store)
	p.offer(t, "A", 5)
	before := store.appends.Load()
	for _, method := range []string{"4242424242424242", "stripe:4242 4242 4242 4242"} {
		o, err := p.Place(t.Context(), place("k", method, line("A", 2)))
		refusedBy(t, must(t, o, err), domaincheckout.ErrCart)
		o, err = p.Pay(t.Context(), checkout.Pay{CheckoutID: "c", RequestID: "1", Method: method})
		refusedBy(t, must(t, o, err), domaincheckout.ErrCart)
	}
	if got := store.appends.Load(); got != before {
		t.Errorf("%d appends", got-before)
	}
	o, err := p.Place(t.Context(), place("k", "sandbox:approved", line("A", 2)))
	if must(t, o, err); o.Order.OrderID == "" {
		t.Errorf("the key was used up: %v", o.Refused)
	}
}
