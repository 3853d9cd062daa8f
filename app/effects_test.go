package app_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/gateways/smtp/smtptest"
)

// TestTheWholeProgramWritesToCustomers places an order that is written about
// and, because of its amount, held.
func TestTheWholeProgramWritesToCustomers(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, nil)
	p := startPrivate(t, "--effects-smtp", server.Addr, "--effects-smtp-tls", "none", "--effects-mail-from", "orders@shop.example",
		"--effects-fraud-amounts", "EUR=2000", "--effects-receipts")
	p.must(http.MethodPost, "/v1/products", `{"sku": "MUG-1", "title": "Mug", "prices": [{"amount": 1250, "currency": "EUR"}]}`)
	p.must(http.MethodPost, "/v1/stock/main/MUG-1/receive", `{"quantity": 10}`)
	placed := p.must(http.MethodPost, "/v1/orders", `{"customer": {"email": "zoe@example.com", "name": "Zoë", "language": "de"}, "currency": "EUR",
		"lines": [{"sku": "MUG-1", "quantity": 2}], "payment": {"method": "sandbox:approved"}}`)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		order := p.must(http.MethodGet, "/v1/orders/"+placed["id"].(string), "")
		if len(server.Sent()) == 1 && order["status"] == "on_hold" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d mails, the order is %v\n%s", len(server.Sent()), order["status"], p.log.Bytes())
		}
	}
	mail := server.Sent()[0]
	if mail.To[0] != "zoe@example.com" || !strings.HasPrefix(mail.Header("Subject"), "Ihre Bestellung "+placed["number"].(string)) || !strings.HasSuffix(mail.Header("Message-ID"), "@shop.example>") {
		t.Errorf("written: %+v", mail)
	}
	if _, _, raw := p.ask(http.MethodGet, "/metrics", ""); !strings.Contains(raw, `waybill_effect_attempt_seconds_count{handler="email",outcome="ok"} 1`) {
		t.Error("the metrics do not tell of the mail")
	}
}

// TestOwnersOfEndpointsAreWrittenTo by mail when nothing can be delivered for a
// while, when it can again, and when the receiver is gone; and nobody else is.
func TestOwnersOfEndpointsAreWrittenTo(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, nil)
	p := startSagas(t, "--effects-smtp", server.Addr, "--effects-smtp-tls", "none", "--effects-mail-from", "orders@shop.example", "--webhooks-warn-after", "200ms")
	var well atomic.Bool
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/gone":
			w.WriteHeader(http.StatusGone)
		case !well.Load():
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(receiver.Close)
	for path, contact := range map[string]string{"/ill": "ill@partner.example", "/gone": "gone@partner.example", "/silent": ""} {
		_, err := p.api.CreateEndpoint(t.Context(), client.CreateEndpoint{
			URL: receiver.URL + path, EventTypes: []string{"order.placed"}, Waits: slices.Repeat([]int{1}, 50), ContactEmail: contact,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	p.place(t, "EUR", 1, "NOTICE-1")
	written := func(want ...string) {
		t.Helper()
		var got []string
		for deadline := time.Now().Add(time.Minute); len(got) < len(want); time.Sleep(20 * time.Millisecond) {
			if got = nil; time.Now().After(deadline) {
				break
			}
			for _, m := range server.Sent() {
				if strings.HasSuffix(m.To[0], "@partner.example") {
					subject := strings.Split(m.Header("Subject"), " ")
					got = append(got, m.To[0]+" "+strings.Join(subject[len(subject)-2:], " "))
				}
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("mails (-want +got):\n%s", diff)
		}
	}
	written("gone@partner.example were disabled", "ill@partner.example be delivered")
	well.Store(true)
	written("gone@partner.example were disabled", "ill@partner.example be delivered", "ill@partner.example delivered again")
}
