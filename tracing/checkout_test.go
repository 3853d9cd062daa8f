package tracing_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"

	cart "github.com/waybill-dev/waybill/domain/checkout"
	item "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/tracing"
)

type priceList struct{ err error }

func (p priceList) Price(context.Context, cart.Request) (checkout.Priced, error) {
	return checkout.Priced{}, p.err
}

func TestPricingACartIsASpan(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		err     error
		refused any
		status  codes.Code
	}{
		{"a cart that is right", nil, nil, codes.Unset},
		{"a refused cart is an answer", item.ErrInvalid, "stock-invalid", codes.Unset},
		{"a failure", eventstore.ErrUnavailable, nil, codes.Error},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, request := root(t)
			_, err := tracing.Pricer(priceList{test.err}).Price(ctx, cart.Request{Currency: "EUR"})
			if !errors.Is(err, test.err) {
				t.Errorf("error is %v, want the pricer's", err)
			}
			got := only(t, request.SpanContext().TraceID(), "checkout.validate")
			if got.Status.Code != test.status {
				t.Errorf("status is %v, want %v", got.Status, test.status)
			}
			wantTags(t, got, map[string]any{"lines": int64(0), "currency": "EUR"})
			if diff := cmp.Diff(test.refused, tags(got, "refused")["refused"]); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
		})
	}
}

// shelf takes note of the metadata it is given.
type shelf struct{ meta eventstore.Metadata }

func (s *shelf) Handle(_ context.Context, meta eventstore.Metadata, _ stock.Item, _ item.Command) (stock.Receipt, error) {
	s.meta = meta
	return stock.Receipt{Batch: 3, Wait: 1500 * time.Microsecond, Conflicts: 1}, nil
}

func TestReservingIsASpanThatItsEventsName(t *testing.T) {
	t.Parallel()
	ctx, request := root(t)
	var items shelf
	_, err := tracing.Stock(&items).Handle(ctx, eventstore.Metadata{CorrelationID: "c1"}, stock.Item{Location: "main", SKU: "MUG-1"}, item.Reserve{})
	if err != nil {
		t.Fatal(err)
	}
	got := only(t, request.SpanContext().TraceID(), "stock.reserve")
	wantTags(t, got, map[string]any{
		"sku": "MUG-1", "location": "main", "correlation_id": "c1",
		"batch.size": int64(3), "batch.wait_ms": 1.5, "conflicts": int64(1),
	})
	want := metadata(got.SpanContext)
	want.CorrelationID = "c1"
	if diff := cmp.Diff(want, items.meta); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestEachStockCommandHasItsName(t *testing.T) {
	t.Parallel()
	ctx, request := root(t)
	for name, command := range map[string]item.Command{
		"stock.register": item.Register{}, "stock.receive": item.Receive{}, "stock.reserve": item.Reserve{},
		"stock.extend": item.Extend{}, "stock.release": item.Release{}, "stock.commit": item.Commit{},
	} {
		if _, err := tracing.Stock(&shelf{}).Handle(ctx, eventstore.Metadata{}, stock.Item{}, command); err != nil {
			t.Fatal(err)
		}
		only(t, request.SpanContext().TraceID(), name)
	}
}
