package orders

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	writer "github.com/waybill-dev/waybill/handlers/stock"
)

// Edit is what shall become of the lines of an order.
type Edit struct {
	EditID string
	Lines  []EditLine
}

// EditLine is a line of the order as it shall be, or a new one.
type EditLine struct {
	LineID   string // empty for a new line
	Quantity int    // 0 takes the line out

	// Of a new line.
	SKU, Location string
	UnitPrice     *domain.Money // the price the shopper saw; nil is whatever it is
	Discount, Tax *domain.Money // of all its units; nil is none
}

// Edit changes lines. New ones are priced by the catalogue, and their units
// belong to the order before it is recorded that they do: an order always has
// its stock. Where that cannot be recorded they are given back, by this request
// or, if it does not live to, by [Service.GiveBack].
func (s *Service) Edit(ctx context.Context, r Request, wanted Edit) (Result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Config.withDefaults().Budget)
	defer cancel()
	e := &editing{Service: s, request: r, wanted: wanted}
	result, err := s.do(ctx, r, change{
		command: func(state order.State, revision eventstore.Revision) (order.Command, error) {
			return e.command(ctx, state, revision)
		},
		prepare: func(ctx context.Context, _ order.State) error { return e.take(ctx) },
	})
	if refused := (*domain.RuleError)(nil); errors.As(err, &refused) || errors.Is(err, eventstore.ErrConflict) {
		err = errors.Join(err, e.giveBack(ctx))
	}
	return result, err
}

// editing is an edit that is being made.
type editing struct {
	*Service

	request Request
	wanted  Edit
	base    string  // names the reservations: the edit, its content and what it was decided on first
	taken   []taken // units for new lines, sorted
	held    int     // how many of them may have been reserved
}

// taken is units of one item.
type taken struct {
	item          writer.Item
	reservationID string
	quantity      int
}

// command prices the edit for the order as it is.
func (e *editing) command(ctx context.Context, state order.State, revision eventstore.Revision) (order.Command, error) {
	if e.base == "" {
		e.base = eventstore.DeriveID("edit", e.request.OrderID, e.wanted.EditID, e.request.Meta.Fingerprint, strconv.FormatInt(int64(revision), 10))
	}
	added, err := e.price(ctx, state)
	if err != nil {
		return nil, err
	}
	command := order.Edit{EditID: e.wanted.EditID}
	for i, want := range e.wanted.Lines {
		line := added[i]
		if want.LineID != "" {
			if line, err = shorter(state, want, i); err != nil {
				return nil, err
			}
		}
		command.Lines = append(command.Lines, line)
	}
	return command, nil
}

// shorter is a line with fewer units, and its part of the discount and tax.
func shorter(state order.State, want EditLine, i int) (order.Line, error) {
	line, known := state.Line(want.LineID)
	if !known {
		return line, order.ErrInvalid.Because(domain.Mistake{
			Pointer: fmt.Sprintf("/lines/%d/line_id", i), Code: "invalid", Detail: "the order has no such line",
		})
	}
	old := line.Quantity
	line.Quantity = want.Quantity
	if want.Quantity < 0 || want.Quantity >= old {
		return line, nil // nothing changes, or the order refuses it
	}
	line.Discount.Amount = part(line.Discount, want.Quantity, old)
	line.Tax.Amount = part(line.Tax, want.Quantity, old)
	price, err := line.UnitPrice.Mul(int64(want.Quantity))
	if err == nil {
		price, err = price.Sub(line.Discount)
	}
	if err == nil {
		line.Total, err = price.Add(line.Tax)
	}
	return line, err
}

// part is n of m parts of an amount, rounded half to even, and to what can be
// paid where the amount can. There are fewer than 10,000 parts: the rest cannot
// overflow.
func part(all domain.Money, n, m int) int64 {
	step := domain.Step(all.Currency)
	if all.Amount%step != 0 {
		step = 1
	}
	amount := all.Amount / step
	whole, rest := amount/int64(m)*int64(n), amount%int64(m)*int64(n)
	quotient, rest := rest/int64(m), rest%int64(m)
	sum := whole + quotient
	if 2*rest > int64(m) || 2*rest == int64(m) && sum%2 == 1 {
		sum++
	}
	return sum * step
}

// price makes lines of those that are new, by their place in the edit.
func (e *editing) price(ctx context.Context, state order.State) (map[int]order.Line, error) {
	cart := checkout.Request{Currency: state.Currency, Method: "edit", Region: state.ShipToCountry}
	var places []int
	for i, want := range e.wanted.Lines {
		if want.LineID == "" {
			cart.Lines = append(cart.Lines, checkout.RequestLine{SKU: want.SKU, Quantity: want.Quantity, UnitPrice: want.UnitPrice, Discount: want.Discount, Tax: want.Tax})
			places = append(places, i)
		}
	}
	if len(places) == 0 {
		return nil, nil
	}
	priced, err := e.Pricer.Price(ctx, cart)
	if err != nil {
		return nil, inPlace(err, places)
	}
	next := nextLine(state)
	lines, units := map[int]order.Line{}, map[writer.Item]int{}
	for k, i := range places {
		line := order.Line(priced.Lines[k])
		line.LineID = strconv.Itoa(next + k)
		line.Location = cmp.Or(e.wanted.Lines[i].Location, e.Config.withDefaults().Location)
		item := writer.Item{Location: line.Location, SKU: line.SKU}
		line.ReservationID = e.reservation(item)
		units[item] += line.Quantity
		lines[i] = line
	}
	e.taken = nil
	for item, quantity := range units {
		e.taken = append(e.taken, taken{item, e.reservation(item), quantity})
	}
	slices.SortFunc(e.taken, func(a, b taken) int {
		return strings.Compare(stock.ID(a.item.Location, a.item.SKU), stock.ID(b.item.Location, b.item.SKU))
	})
	return lines, nil
}

func (e *editing) reservation(item writer.Item) string {
	return stock.ForEdit + eventstore.DeriveID("reservation", e.base, item.Location, item.SKU)
}

// inPlace points the mistakes of a cart of new lines to where they are in the
// edit.
func inPlace(err error, places []int) error {
	rule := (*domain.RuleError)(nil)
	if !errors.As(err, &rule) {
		return err
	}
	mistakes := slices.Clone(rule.Mistakes)
	for i, m := range mistakes {
		parts := strings.SplitN(m.Pointer, "/", 4)
		if len(parts) < 3 || parts[1] != "lines" {
			continue
		}
		if k, err := strconv.Atoi(parts[2]); err == nil && k < len(places) {
			parts[2] = strconv.Itoa(places[k])
			mistakes[i].Pointer = strings.Join(parts, "/")
		}
	}
	return rule.Because(mistakes...)
}

// nextLine is a number that no line of the order ever had.
func nextLine(state order.State) int {
	last := 0
	see := func(id string) {
		if n, err := strconv.Atoi(id); err == nil {
			last = max(last, n)
		}
	}
	for _, l := range state.Placed.Lines {
		see(l.LineID)
	}
	for _, e := range state.Edits {
		for _, c := range e.Changes {
			see(c.LineID)
		}
	}
	return last + 1
}

// take reserves what new lines need, all of it, and then gives it to the order.
func (e *editing) take(ctx context.Context) error {
	now := e.Now()
	for i, t := range e.taken {
		e.held = max(e.held, i+1)
		err := e.item(ctx, "reserve", t, stock.Reserve{
			Location: t.item.Location, SKU: t.item.SKU, ReservationID: t.reservationID, CheckoutID: e.wanted.EditID,
			Quantity: t.quantity, ExpiresAt: now.Add(e.Config.withDefaults().Hold), At: now,
		})
		if err != nil {
			return err
		}
	}
	for _, t := range e.taken {
		if err := e.item(ctx, "commit", t, stock.Commit{ReservationID: t.reservationID, OrderID: e.request.OrderID, At: e.Now()}); err != nil {
			return err
		}
	}
	return nil
}

// giveBack releases what take took.
func (e *editing) giveBack(ctx context.Context) error {
	for _, t := range e.taken[:min(e.held, len(e.taken))] {
		if err := e.item(ctx, "give back", t, stock.Release{ReservationID: t.reservationID, Reason: stock.Compensation}); err != nil {
			return err
		}
	}
	return nil
}

func (e *editing) item(ctx context.Context, step string, t taken, command stock.Command) error {
	meta := e.request.Meta
	meta.CausationID, meta.CorrelationID, meta.Fingerprint = meta.CommandID, e.request.OrderID, ""
	meta.CommandID = eventstore.DeriveID("edit "+step, t.reservationID)
	if _, err := e.Stock.Handle(ctx, meta, t.item, command); err != nil {
		return err
	}
	return e.fault(step + " " + t.item.SKU)
}
