package webhooks_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

func TestCreatingAgainAnswersTheSame(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	d := p.start()
	wish := webhooks.NewEndpoint{ID: "e-1", Settings: endpoint.Settings{
		URL: "https://partner.example/hook", EventTypes: []string{"order.placed"}, Description: "d",
	}}
	first, err := d.Endpoints.Create(t.Context(), wish, meta())
	if err != nil {
		t.Fatal(err)
	}
	second, err := d.Endpoints.Create(t.Context(), wish, meta())
	if err != nil || first.Secret.Text() != second.Secret.Text() || cmp.Diff(first.Endpoint, second.Endpoint) != "" {
		t.Errorf("%v, %+v, %+v", err, first, second)
	}
	got, err := d.Endpoints.Get(t.Context(), "e-1")
	if diff := cmp.Diff(first.Endpoint, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for r, err := range p.log.ReadStream(t.Context(), "endpoint-e-1", 0) {
		if err != nil || bytes.Contains(r.Data, []byte(first.Secret.Text()[6:])) {
			t.Errorf("%v, the secret is stored openly: %s", err, r.Data)
		}
	}
	eventually(t, "the list", func() bool {
		list, err := d.Endpoints.List(t.Context())
		return err == nil && len(list) == 1 && list[0].ID == "e-1" && list[0].URL == wish.URL && list[0].Status == endpoint.StatusActive
	})
	wish.URL = "https://other.example/"
	if _, err := d.Endpoints.Create(t.Context(), wish, meta()); !errors.Is(err, domain.ErrKeyReused) {
		t.Errorf("another endpoint under the same id: %v", err)
	}
}

func TestEndpointsAreRefusedWithEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	endpoints := p.endpoints(nil)
	_, err := endpoints.Create(t.Context(), webhooks.NewEndpoint{ID: "e1", Settings: endpoint.Settings{URL: "gopher://x/#f", EventTypes: []string{"endpoint.test"}}}, meta())
	var refusal *domain.RuleError
	if !errors.As(err, &refusal) || len(refusal.Mistakes) != 3 {
		t.Errorf("%v: %+v", err, refusal)
	}
	for what, err := range map[string]error{
		"delete":  endpoints.Delete(t.Context(), "e1", meta()),
		"disable": endpoints.Disable(t.Context(), "e1", endpoint.ReasonRequested, meta()),
		"enable":  endpoints.Enable(t.Context(), "e1", meta()),
	} {
		if !errors.Is(err, endpoint.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := endpoints.Get(t.Context(), "e1"); !errors.Is(err, endpoint.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
}

func TestAnEndpointThatLagsCatchesUpInOrder(t *testing.T) {
	t.Parallel()
	for what, ring := range map[string]struct{ events, bytes int }{"few events": {events: 8}, "little data": {bytes: 100}} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			testLagging(t, ring.events, ring.bytes)
		})
	}
}

// testLagging keeps only so much in memory that endpoints fall out of it.
func testLagging(t *testing.T, events, bytes int) {
	t.Helper()
	steady, late := newReceiver(t, nil), newReceiver(t, nil)
	p := newPlatform(t)
	p.config.Ring, p.config.RingBytes = events, bytes
	p.endpoint(steady.URL, "*")
	created := p.endpoint(late.URL, "*")
	d := p.start()
	if err := d.Endpoints.Disable(t.Context(), created.ID, endpoint.ReasonRequested, meta()); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	write := func(from, to int) {
		for i := from; i < to; i++ {
			order := fmt.Sprint("o", i%50)
			want[order] = append(want[order], p.append(order, eventstore.Revision(i/50-1), noted{i})...)
		}
	}
	write(0, 600)
	eventually(t, "the steady endpoint", func() bool { return steady.count() == 600 })
	if err := d.Endpoints.Enable(t.Context(), created.ID, meta()); err != nil {
		t.Fatal(err)
	}
	write(600, 900)
	eventually(t, "the late endpoint", func() bool { return late.count() == 900 && steady.count() == 900 })
	for name, r := range map[string]*receiver{"steady": steady, "late": late} {
		if diff := cmp.Diff(want, r.accepted()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if n := len(r.all()); n != 900 {
			t.Errorf("%s: %d requests for 900 events", name, n)
		}
	}
}

func TestAnEndpointThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	p := newPlatform(t)
	odd := eventstore.NewEvent{ID: eventstore.EventID("endpoint-odd", "test", 0), Event: noted{1}, Metadata: meta()}
	if _, err := p.log.Append(t.Context(), "endpoint-odd", eventstore.NoStream, odd); err != nil {
		t.Fatal(err)
	}
	p.endpoint(r.URL, "*")
	for _, start := range []string{"first", "second"} {
		d := p.start()
		p.append(start, eventstore.NoStream, noted{1})
		eventually(t, "the other endpoint at the "+start+" start", func() bool { return len(r.accepted()[start]) == 1 })
		d.stop()
	}
}
