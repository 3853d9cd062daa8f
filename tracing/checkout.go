package tracing

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/domain"
	cart "github.com/waybill-dev/waybill/domain/checkout"
	item "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/stock"
)

// Pricer returns a pricer that records a span "checkout.validate" for each
// cart.
func Pricer(next checkout.Pricer) checkout.Pricer { return pricer{next} }

type pricer struct{ next checkout.Pricer }

// Price implements [checkout.Pricer].
func (p pricer) Price(ctx context.Context, request cart.Request) (checkout.Priced, error) {
	ctx, span := tracer().Start(ctx, "checkout.validate", trace.WithAttributes(
		attribute.Int("lines", len(request.Lines)),
		attribute.String("currency", request.Currency)))
	defer span.End()
	priced, err := p.next.Price(ctx, request)
	conclude(span, err)
	return priced, err
}

// Stock returns stock items that record a span for each command, "stock.reserve"
// and the like. Several callers' events are appended together, so each event
// is told here which trace it belongs to.
func Stock(next checkout.Stock) checkout.Stock { return stockItems{next} }

type stockItems struct{ next checkout.Stock }

// Handle implements [checkout.Stock].
func (s stockItems) Handle(ctx context.Context, meta eventstore.Metadata, of stock.Item, command item.Command) (stock.Receipt, error) {
	ctx, span := tracer().Start(ctx, "stock."+verb(command), trace.WithAttributes(
		append(identity("", meta.CorrelationID),
			attribute.String("sku", of.SKU),
			attribute.String("location", of.Location))...))
	defer span.End()
	ctx = traced(ctx)
	mark(ctx, &meta, own(ctx))

	receipt, err := s.next.Handle(ctx, meta, of, command)
	span.SetAttributes(
		attribute.Int("batch.size", receipt.Batch),
		attribute.Float64("batch.wait_ms", float64(receipt.Wait)/float64(time.Millisecond)),
		attribute.Int("conflicts", receipt.Conflicts))
	conclude(span, err)
	return receipt, err
}

func verb(command item.Command) string {
	switch command.(type) {
	case item.Register:
		return "register"
	case item.Receive:
		return "receive"
	case item.Reserve:
		return "reserve"
	case item.Extend:
		return "extend"
	case item.Release:
		return "release"
	case item.Commit:
		return "commit"
	case item.Ship:
		return "ship"
	case item.Return:
		return "return"
	case item.Adjust:
		return "adjust"
	case item.SetPolicy:
		return "set policy"
	case item.Sweep:
		return "sweep"
	}
	return "change"
}

// conclude tells how something came out. That a rule refuses is an answer.
func conclude(span trace.Span, err error) {
	if rule, ok := errors.AsType[*domain.RuleError](err); ok {
		span.SetAttributes(attribute.String("refused", rule.Code))
		return
	}
	if err != nil {
		fail(span, err)
	}
}
