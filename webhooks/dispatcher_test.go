package webhooks_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
)

func TestAnOrderReachesThePartner(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := newReceiver(t, nil)
	created := p.endpoint(r.URL, "order.placed")
	r.verifyWith(created.Secret.Text())
	d := p.start()
	ids := p.append("o1", eventstore.NoStream, placed{Text: "<one>"})
	eventually(t, "a delivery", func() bool { return r.count() == 1 })
	got := r.all()[0]
	if got.ID != ids[0] || got.Type != "order.placed" || got.Version != 1 || got.Aggregate.Type != "order" || got.Aggregate.ID != "o1" ||
		got.Sequence != 1 || got.Previous != nil || string(got.Data) == "" {
		t.Errorf("message %s", got.Body)
	}
	var data placed
	if err := json.Unmarshal(got.Data, &data); err != nil || data.Text != "<one>" {
		t.Errorf("data %s: %v", got.Data, err)
	}
	want := map[string]string{
		"Content-Type": "application/json", "User-Agent": "Waybill-Webhooks/1", "Webhook-Attempt": "1", "Webhook-Run": "live",
		"Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "Accept-Encoding": "", "Baggage": "", "Tracestate": "",
	}
	headers := map[string]string{}
	for name := range want {
		headers[name] = got.Header.Get(name)
	}
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	eventually(t, "the attempt in the ledger", func() bool {
		attempts, err := d.Attempts(t.Context(), created.ID, 10)
		return err == nil && len(attempts) == 1 && attempts[0].EventID == ids[0] && attempts[0].Status == 200 && time.Since(attempts[0].At) < time.Minute
	})
	eventually(t, "the cursor at the head", func() bool {
		status, err := d.Status(t.Context(), created.ID)
		return err == nil && status.CaughtUp() && status.Parked == 0
	})
}
