package fulfilment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	writer "github.com/waybill-dev/waybill/handlers/stock"
)

// errNoReplacements says that the program was put together without what places
// the orders of exchanges.
var errNoReplacements = errors.New("nothing places the orders of exchanged goods")

// takeBack puts what came back into the stock, and gives the money back, or
// other goods.
func (r *run) takeBack(ctx context.Context) error {
	i := slices.IndexFunc(r.order.Returns, func(o order.Return) bool { return o.Requested.ReturnID == r.task.Ref })
	if i < 0 || r.order.Returns[i].Status != order.ReturnReceived {
		return nil
	}
	back := r.order.Returns[i]
	if err := r.restock(ctx, back); err != nil {
		return err
	}
	if back.Requested.Kind == order.ForExchange {
		return r.replace(ctx, back)
	}
	return r.payBack(ctx, back)
}

// restock puts what can be sold again back where it was sold from.
func (r *run) restock(ctx context.Context, back order.Return) error {
	units := map[writer.Item]int{}
	for _, u := range back.Received {
		if l, known := r.order.Line(u.LineID); known && u.Restock {
			units[writer.Item{Location: l.Location, SKU: l.SKU}] += u.Quantity
		}
	}
	items := make([]writer.Item, 0, len(units))
	for item := range units {
		items = append(items, item)
	}
	slices.SortFunc(items, func(a, b writer.Item) int {
		return strings.Compare(stock.ID(a.Location, a.SKU), stock.ID(b.Location, b.SKU))
	})
	for _, item := range items {
		_, err := r.item(ctx, "restocked", item, stock.Return{
			Location: item.Location, SKU: item.SKU, ReturnID: r.id("restock", back.Requested.ReturnID), Quantity: units[item],
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// payBack gives back what the goods cost. They are paid for first: what was
// shipped and is not captured yet is waited for, and so is the end of a
// cancellation, which may give back for units of the same line.
func (r *run) payBack(ctx context.Context, back order.Return) error {
	if r.order.Status == order.StatusCancelling {
		return r.wait(r.config.Again, "the cancellation to end")
	}
	all, err := r.payments(ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		if err := r.copy(ctx, p); err != nil {
			return err
		}
	}
	if len(r.corrections(ReasonReturned, back.Requested.ReturnID)) == 0 &&
		r.order.Money().Captured.Amount-r.corrected() < worth(r.order, len(r.order.Shipments)) {
		return r.wait(r.config.HeldAgain, "what was shipped to be captured")
	}
	lines := received(back)
	return r.giveBack(ctx, ReasonReturned, back.Requested.ReturnID, lines, func() int64 {
		return r.owed(back) - r.given(ReasonReturned, back.Requested.ReturnID)
	})
}

// received sums what came back of each line.
func received(back order.Return) []order.Units {
	var lines []order.Units
	for _, u := range back.Received {
		i := slices.IndexFunc(lines, func(o order.Units) bool { return o.LineID == u.LineID })
		if i < 0 {
			lines = append(lines, order.Units{LineID: u.LineID, Quantity: u.Quantity})
			continue
		}
		lines[i].Quantity += u.Quantity
	}
	return lines
}

// replace sends other goods for those that came back.
func (r *run) replace(ctx context.Context, back order.Return) error {
	if r.Replacements == nil {
		return fmt.Errorf("return %s: %w", back.Requested.ReturnID, errNoReplacements)
	}
	p, err := r.payment(ctx, r.order.PaymentID)
	if err != nil {
		return err
	}
	replacement := Replacement{
		// The replacement for a guest is the same guest's: they share an address,
		// and are erased together.
		OrderID: r.task.OrderID, ReturnID: back.Requested.ReturnID, CustomerID: cmp.Or(r.order.CustomerID, customer.Guest(r.task.OrderID)),
		ContactRef: r.order.ContactRef,
		ShipToRef:  r.order.ShipToRef, BillToRef: r.order.BillToRef, ShipToCountry: r.order.ShipToCountry, Currency: r.order.Currency, Method: p.state.Method,
		ReceivedAt: r.task.OpenedAt.UTC().Truncate(time.Second), Actor: eventstore.Actor{Type: "process", ID: "fulfilment"},
	}
	for _, u := range received(back) {
		if l, known := r.order.Line(u.LineID); known {
			replacement.Lines = append(replacement.Lines, ReplacementLine{SKU: l.SKU, Quantity: u.Quantity})
		}
	}
	if _, err := r.Replacements.Replace(ctx, replacement); err != nil {
		return fmt.Errorf("replace the goods of return %s: %w", back.Requested.ReturnID, err)
	}
	return r.step("replaced")
}
