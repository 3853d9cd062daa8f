package stripe_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/stripe"
	"github.com/waybill-dev/waybill/gateways/stripe/stripetest"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

func gateway(t *testing.T, url string) *stripe.Gateway {
	t.Helper()
	g, err := stripe.New(stripe.Config{
		Key: "sk_test_123", WebhookSecret: secret, URL: url, Timeout: 10 * time.Second, Now: func() time.Time { return noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// watched stands before stripe-mock and remembers what it answered.
type watched struct {
	*httptest.Server
	mu      sync.Mutex
	answers []string
}

func watch(t *testing.T, mock string) *watched {
	t.Helper()
	target, err := url.Parse(mock)
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.answers = append(w.answers, r.Request.Method+" "+r.Request.URL.Path+" "+r.Status)
			return nil
		},
	}
	w.Server = httptest.NewServer(proxy)
	t.Cleanup(w.Close)
	return w
}

func (w *watched) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	answers := w.answers
	w.answers = nil
	return answers
}

// stripe-mock refuses what Stripe's own description of its API does not know.
func TestEveryRequestIsOneThatStripeKnows(t *testing.T) {
	t.Parallel()
	mock := watch(t, stripetest.Start(t))
	g := gateway(t, mock.URL)
	authorise := payment.Authorise{Key: "pay-1", Method: "stripe:pm_card_visa", Amount: eur(2500)}
	back := authorise
	back.Key, back.ReturnURL = "pay-2", "https://shop.example/back"
	capture := payment.Capture{Key: "pay-1", Ref: "pi_1", ID: "capture-1", Amount: eur(1000)}
	final := capture
	final.ID, final.Final = "capture-2", true
	refund := payment.Refund{Key: "pay-1", Ref: "pi_1", ID: "refund-1", Amount: eur(500)}
	ctx := t.Context()
	for _, row := range []struct {
		name string
		do   func() error
		want []string
	}{
		{
			"authorise", func() error { _, err := g.Authorise(ctx, authorise); return err },
			[]string{"POST /v1/payment_intents 200 OK"},
		},
		{
			"authorise, with a way back", func() error { _, err := g.Authorise(ctx, back); return err },
			[]string{"POST /v1/payment_intents 200 OK"},
		},
		{
			"find what is unknown", func() error { _, err := g.Find(ctx, "pay-0"); return unless(err, payment.ErrNotFound) },
			[]string{"GET /v1/payment_intents/search 200 OK", "GET /v1/payment_intents 200 OK"},
		},
		{
			"capture a part", func() error { m, err := g.Capture(ctx, capture); return done(m, err) },
			[]string{"GET /v1/payment_intents/pi_1 200 OK", "POST /v1/payment_intents/pi_1/capture 200 OK"},
		},
		{
			"capture the last part", func() error { m, err := g.Capture(ctx, final); return done(m, err) },
			[]string{"GET /v1/payment_intents/pi_1 200 OK", "POST /v1/payment_intents/pi_1/capture 200 OK"},
		},
		{
			"find a capture", func() error { _, err := g.FindCapture(ctx, capture); return unless(err, payment.ErrNotFound) },
			[]string{"GET /v1/payment_intents/pi_1 200 OK"},
		},
		{
			"refund", func() error { m, err := g.Refund(ctx, refund); return done(m, err) },
			[]string{"GET /v1/refunds 200 OK", "POST /v1/refunds 200 OK"},
		},
		{
			"find a refund", func() error { _, err := g.FindRefund(ctx, refund); return unless(err, payment.ErrNotFound) },
			[]string{"GET /v1/refunds 200 OK"},
		},
	} {
		if err := row.do(); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if diff := cmp.Diff(row.want, mock.take()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
	// The sample that stripe-mock makes of an intent has an id of its own.
	if _, err := g.Void(ctx, "pay-1"); err != nil {
		t.Errorf("void: %v", err)
	}
	voided := mock.take()
	if len(voided) != 2 || !strings.HasSuffix(voided[1], "/cancel 200 OK") {
		t.Errorf("void asked %q", voided)
	}
	if _, err := g.Void(ctx, "pay-0"); err != nil {
		t.Errorf("void of what is unknown: %v", err)
	}
	voided = mock.take()
	if len(voided) != 4 || voided[2] != "POST /v1/payment_intents 200 OK" || !strings.HasSuffix(voided[3], "/cancel 200 OK") {
		t.Errorf("void of what is unknown asked %q", voided)
	}
}

// Otherwise the test above would show nothing.
func TestStripeMockRefusesWhatStripeDoesNotKnow(t *testing.T) {
	t.Parallel()
	mock := stripetest.Start(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, mock+"/v1/payment_intents", strings.NewReader("amount=1&currency=eur&capture_method=by_hand"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer sk_test_123")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusBadRequest {
		t.Errorf("it answered %s: %s", response.Status, body)
	}
}

func unless(err, fine error) error {
	if errors.Is(err, fine) {
		return nil
	}
	return errors.Join(errors.New("it was found"), err)
}

func done(m payment.Movement, err error) error {
	if err == nil && m.Status != payment.Done {
		err = errors.New(string(m.Status) + " " + m.Code + " " + m.Message)
	}
	return err
}
