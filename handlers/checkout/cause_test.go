package checkout_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/sandbox"
	"github.com/waybill-dev/waybill/handlers/checkout"
)

// Whoever looks into an unknown outcome reads what the gateway did instead of
// answering.
func TestTheCauseOfAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	for cause, answer := range map[string]http.HandlerFunc{
		"5xx":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"timeout": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else nobody sees that the caller has gone
			<-r.Context().Done()
		},
		"failure": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
	} {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			gateway := httptest.NewServer(answer)
			defer gateway.Close()
			patience := 30 * time.Second
			if cause == "timeout" {
				patience = impatient
			}
			client := sandbox.NewClient(gateway.URL, patience)
			defer client.Close()
			_, err := client.Authorise(t.Context(), payment.Authorise{Key: "k", Method: "sandbox:approved", Amount: domain.Money{Amount: 1, Currency: "EUR"}})
			if got := checkout.Cause(err); got != cause {
				t.Errorf("%v is %q", err, got)
			}
		})
	}
}
