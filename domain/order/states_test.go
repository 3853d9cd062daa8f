package order_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain/order"
)

//go:generate go test -run TestTheStatesAreDocumented . -update

// specified is the table that the states are built from. It is written from
// the specification and not from the code: "same" is the cell to the left, a
// remark in parentheses is for people.
const specified = `
state | Held | HoldReleased | Edited | FulfilmentRequested | Shipped (some left) | Shipped (all) | Delivered (all) | CancelRequested | Cancelled | CancelRefused | ReturnReceived (all) | Completed
placed | on_hold | x | = | processing | partially_shipped | shipped | x | cancelling | x | x | x | x
on_hold | = | previous state | = | x | x | x | x | cancelling | x | x | x | x
processing | on_hold | x | x (cancel request first) | = | partially_shipped | shipped | x | cancelling | x | x | x | x
partially_shipped | on_hold | x | x | = | = | shipped | x | cancelling (rest only) | x | x | = | x
shipped | x | x | x | x | x | x | delivered | x (use return) | x | x | returned | x
delivered | x | x | x | x | x | x | = | x | x | x | returned | completed
cancelling | x | x | x | x | recorded, forces CancelRefused | same | x | = | cancelled | previous state | x | x
returned | x | x | x | x | x | x | x | x | x | x | = | completed
cancelled | x | x | x | x | x | x | x | = (nothing to do) | x | x | x | =
completed | x | x | x | x | x | x | x | x (there is nothing left to cancel) | x | x | OrderReopened -> delivered | =
`

func TestEveryCellIsAsSpecified(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(specified), "\n")
	columns := cells(lines[0])[1:]
	tried := 0
	for _, line := range lines[1:] {
		row := cells(line)
		for i, column := range columns {
			want, _, _ := strings.Cut(row[i+1], " (")
			if want == "same" {
				want = row[i]
			}
			tried++
			t.Run(row[0]+" "+column, func(t *testing.T) {
				t.Parallel()
				cell(t, order.Status(row[0]), column, want)
			})
		}
	}
	if tried != 10*12 {
		t.Errorf("%d cells tried", tried)
	}
}

// further says the rest of what depends on the state.
const further = `
placed | = | x | x | x | x
on_hold | = | = | x | x | x
processing | = | x | x | x | x
partially_shipped | = | = | = | = | x
shipped | x | = | = | = | x
delivered | x | x | = | = | x
cancelling | = | = | x | x | x
returned | x | = | x | x | x
cancelled | x | x, or = where a part was shipped | x, or = where a part was shipped | x, or = where a part was shipped | x
completed | x | x | OrderReopened first | OrderReopened first | delivered
`

func TestTheRestOfTheTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("\n")
	for _, row := range order.Table() {
		b.WriteString(string(row.State))
		for _, cell := range row.Cells[12:] {
			b.WriteString(" | " + string(cell))
		}
		b.WriteString("\n")
	}
	if diff := cmp.Diff(further, b.String()); diff != "" {
		t.Errorf("the rest of the table (-want +got):\n%s", diff)
	}
}

func cells(line string) []string {
	all := strings.Split(line, "|")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

// cell tries one happening in one state. A state that the decider would never
// let have the goods for it is folded together from events it would refuse.
func cell(t *testing.T, in order.Status, column, want string) {
	t.Helper()
	state := order.Decider.Fold(order.State{}, history(in, column)...)
	if state.Status != in {
		t.Fatalf("the history leads to %s", state.Status)
	}
	events, err := order.Decider.Decide(state, happening(state, column))
	next := order.Decider.Fold(state, events...)
	switch want {
	case "x":
		goods := column == "Delivered (all)" || column == "ReturnReceived (all)"
		refused := errors.Is(err, order.ErrTransition) || in == order.StatusOnHold && errors.Is(err, order.ErrOnHold) ||
			in == order.StatusCancelled && goods && errors.Is(err, order.ErrUnknown)
		if !refused || len(events) > 0 {
			t.Fatalf("%v, %v; want a refusal", events, err)
		}
		return
	case "=":
		want = string(in)
	case "previous state":
		want = string(order.StatusPlaced)
	case "recorded, forces CancelRefused":
		if len(events) != 2 || events[1].EventName() != "OrderCancelRefused" {
			t.Fatalf("%v, %v; want a refusal of the cancellation to follow", events, err)
		}
		want = map[string]string{"Shipped (some left)": "partially_shipped", "Shipped (all)": "shipped"}[column]
	case "OrderReopened -> delivered":
		if len(events) != 2 || events[0].EventName() != "OrderReopened" || order.Decider.Fold(state, events[0]).Status != order.StatusDelivered {
			t.Fatalf("%v, %v; want a reopening first", events, err)
		}
		want = string(order.StatusReturned)
	}
	if err != nil || string(next.Status) != want {
		t.Fatalf("%v, %v lead to %s, want %s", events, err, next.Status, want)
	}
}

// history leads to a state, with everything shipped and asked back where the
// column is about that.
func history(in order.Status, column string) []order.Event {
	type list = []order.Event
	var goods list
	if column == "Delivered (all)" || column == "ReturnReceived (all)" {
		goods = list{shipped("s1", 3, 1), asked("r1", 3, 1)}
	}
	held, released := order.OrderHeld{OrderID: "o", HoldID: "h1", Reason: order.HoldFraud}, order.OrderHoldReleased{OrderID: "o", By: "a"}
	cancel := order.OrderCancelRequested{OrderID: "o", RequestID: "c1", Reason: "customer", By: "a"}
	switch in {
	case order.StatusPlaced:
		return slices.Concat(list{two(), held}, goods, list{released})
	case order.StatusOnHold:
		return slices.Concat(list{two(), held}, goods)
	case order.StatusProcessing:
		return slices.Concat(list{two(), requested("f1", 1, 0), held}, goods, list{released})
	case order.StatusPartiallyShipped:
		if goods != nil {
			goods = list{shipped("s1", 2, 1), delivered("s0"), asked("r1", 3, 1)}
		}
		return slices.Concat(list{two(), shipped("s0", 1, 0), held}, goods, list{released})
	case order.StatusShipped:
		return list{two(), shipped("s1", 3, 1), asked("r1", 3, 1)}
	case order.StatusDelivered:
		if column == "Completed" {
			return list{two(), shipped("s1", 3, 1), delivered("s1")}
		}
		return list{two(), shipped("s1", 3, 1), delivered("s1"), asked("r1", 3, 1)}
	case order.StatusReturned:
		if column == "Completed" {
			return list{two(), shipped("s1", 3, 1), delivered("s1"), asked("r1", 3, 1), received("r1", 3, 1)}
		}
		if column == "Delivered (all)" {
			return list{two(), shipped("s1", 3, 1), asked("r1", 3, 1), received("r1", 3, 1)}
		}
		return list{two(), shipped("s1", 3, 1), delivered("s1"), asked("r0", 3, 1), received("r0", 3, 1), asked("r1", 3, 1)}
	case order.StatusCancelling:
		return slices.Concat(list{two(), cancel}, goods)
	case order.StatusCancelled:
		return list{two(), cancel, order.OrderCancelled{OrderID: "o", Lines: []order.Units{{LineID: "1", Quantity: 3}, {LineID: "2", Quantity: 1}}}}
	case order.StatusCompleted:
		end := order.OrderCompleted{OrderID: "o", At: noon}
		switch column {
		case "Delivered (all)":
			return list{two(), shipped("s1", 3, 1), asked("r1", 3, 1), received("r1", 3, 1), end}
		case "ReturnReceived (all)":
			return list{two(), shipped("s1", 3, 1), asked("r1", 3, 1), delivered("s1"), end}
		}
		return list{two(), shipped("s1", 3, 1), delivered("s1"), end}
	}
	panic(in)
}

// happening is the command that makes a column's event.
func happening(s order.State, column string) order.Command {
	switch column {
	case "Held":
		return order.Hold{HoldID: "h2", Reason: order.HoldManual}
	case "HoldReleased":
		return order.ReleaseHold{By: "b"}
	case "Edited":
		return order.Edit{EditID: "e1", Lines: []order.Line{line("2", 0, 0)}}
	case "FulfilmentRequested":
		return order.RequestFulfilment{RequestID: "f2", Location: "main", Lines: []order.Units{{LineID: "2", Quantity: 1}}}
	case "Shipped (some left)":
		return order.Ship{ShipmentID: "s2", Lines: []order.Units{{LineID: "1", Quantity: 1}}, At: noon}
	case "Shipped (all)":
		var units []order.Units
		for _, l := range s.Lines {
			if n := s.Left(l); n > 0 {
				units = append(units, order.Units{LineID: l.LineID, Quantity: n})
			}
		}
		if units == nil {
			units = []order.Units{{LineID: "1", Quantity: 1}}
		}
		return order.Ship{ShipmentID: "s2", Lines: units, At: noon}
	case "Delivered (all)":
		return order.MarkDelivered{ShipmentID: "s1", At: noon}
	case "CancelRequested":
		return order.RequestCancel{RequestID: "c2", Reason: "customer", By: "a"}
	case "Cancelled":
		return order.Cancel{Voided: eur(1)}
	case "CancelRefused":
		return order.RefuseCancel{Reason: "picked"}
	case "ReturnReceived (all)":
		return order.ReceiveReturn{ReturnID: "r1", Lines: received("r1", 3, 1).Lines}
	case "Completed":
		return order.Complete{At: noon}
	}
	panic(column)
}

func TestTheStatesAreDocumented(t *testing.T) {
	t.Parallel()
	const path = "../../docs/order-states.md"
	want := document()
	if update := flag.Lookup("update"); update != nil && update.Value.String() == "true" {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not what the code says; run `./task generate` (-want +got):\n%s", path, diff)
	}
}

func document() string {
	var b strings.Builder
	b.WriteString(`# The states of an order

Generated from the code by ` + "`./task generate`" + `; do not edit.

An order is placed, and from then on every event is looked up in these tables. A cell is what the event does in a state: ` + "`x`" + ` refuses the command with the problem invalid-transition (order-on-hold where a held order should be shipped), ` + "`=`" + ` records the event and stays, a name records it and leads there. What is "done" is answered like the first time, and nothing is recorded. "back" leads to the state before the hold or the cancellation.

## Life

`)
	markdown(&b, order.Happenings()[:12])
	b.WriteString("\nThe rest of the events that depend on the state:\n\n")
	markdown(&b, order.Happenings()[12:])
	b.WriteString(`
- Notes, tags, updates of payments, refunds, a failed shipment and the rejection of a return are allowed in every state and lead nowhere.
- A parcel that leaves while the order is being cancelled is recorded and ends the cancellation. The order goes on as partially_shipped or shipped, or stays on hold where it was held and something is left.
- Of a partially shipped order the rest is cancelled. What had been shipped can still be delivered and come back, and the order stays cancelled.
- A return of a completed order reopens it. It is completed again when no return and no refund is open.
- "All" means: nothing left to ship that is not cancelled; every parcel delivered and nothing left to ship; everything back that was shipped.

## Payment

Follows from the copies of the payments' events: `)
	list(&b, order.Authorised, order.PartiallyCaptured, order.Captured, order.PartiallyRefunded, order.Refunded, order.Voided, order.Expired, order.ChargedBack)
	b.WriteString(".\n\n## Fulfilment\n\nFollows from the quantities: ")
	list(&b, order.Unfulfilled, order.PartlyFulfilled, order.Fulfilled, order.Delivered, order.PartiallyReturned, order.Returned)
	b.WriteString(".\n")
	return b.String()
}

func list[T ~string](b *strings.Builder, names ...T) {
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "`%s`", name)
	}
}

func markdown(b *strings.Builder, columns []order.Happening) {
	b.WriteString("| state |")
	for _, column := range columns {
		fmt.Fprintf(b, " %s |", column)
	}
	b.WriteString("\n|" + strings.Repeat("---|", len(columns)+1) + "\n")
	for _, row := range order.Table() {
		fmt.Fprintf(b, "| %s |", row.State)
		for i, column := range order.Happenings() {
			if slices.Contains(columns, column) {
				fmt.Fprintf(b, " %s |", row.Cells[i])
			}
		}
		b.WriteString("\n")
	}
}
