package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

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
