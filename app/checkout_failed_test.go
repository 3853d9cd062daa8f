package app_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/database/databasetest"
)

// Who was told to wait for a payment hears, as a partner does, that nothing
// came of it; what was refused at once is not told.
func TestACheckoutThatFailsLaterIsToldToPartners(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		p := startSagas(t, append(on(e), "--sandbox-callbacks", "none", "--checkout-declined-ttl", "1s", "--checkout-unknown-schedule", "100ms,1s")...)
		type message struct {
			Type      string
			Aggregate struct{ Type, ID string }
			Data      struct {
				Channel, Reason string
				Lines           []struct {
					SKU      string
					Quantity int
				}
				Total client.Money
			}
		}
		messages := make(chan message, 10)
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			var m message
			if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
				t.Error(err)
			}
			messages <- m
		}))
		t.Cleanup(receiver.Close)
		_, err := p.api.CreateEndpoint(t.Context(), client.CreateEndpoint{
			URL: receiver.URL, EventTypes: []string{"checkout.failed"}, Filter: `channel == "app" && aggregate_type == "checkout" && "MUG" in skus`,
		})
		done(t, err)
		p.product(t, "MUG")
		place := func(key, method, channel string) client.Placed {
			placed, err := p.api.PlaceOrder(t.Context(), key, client.PlaceOrder{
				Customer: &client.Customer{Email: "a@example.com"}, Currency: "EUR", Channel: channel, Payment: client.Payment{Method: method},
				Lines: []client.OrderLine{{SKU: "MUG", Quantity: 2}},
			})
			if method == "sandbox:timeout-declined" {
				done(t, err)
			} else if err == nil {
				t.Errorf("%s: %+v", method, placed)
			}
			return placed
		}
		place("at once", "sandbox:declined", "app")
		place("elsewhere", "sandbox:timeout-declined", "web")
		_, id, _ := strings.Cut(place("later", "sandbox:timeout-declined", "app").CheckoutURL, "/v1/checkouts/")
		select {
		case m := <-messages:
			if m.Type != "checkout.failed" || m.Aggregate.Type != "checkout" || m.Aggregate.ID != id || id == "" ||
				m.Data.Reason != "payment-declined" || m.Data.Channel != "app" || len(m.Data.Lines) != 1 || m.Data.Lines[0].Quantity != 2 || m.Data.Total.Amount != 2500 {
				t.Errorf("%+v of checkout %q", m, id)
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("nobody told of checkout %q; the platform's log:\n%s", id, p.log.String())
		}
		p.shelf(t, "MUG", 10, 0)
		if listed := string(p.read(t, "/v1/aggregates/"+id+"/events?type=checkout")); !strings.Contains(listed, `"checkout.failed"`) {
			t.Errorf("asked for: %s", listed)
		}
		select {
		case m := <-messages:
			t.Errorf("told as well: %+v", m)
		default:
		}
	})
}
