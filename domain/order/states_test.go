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

	"github.com/waybill-dev/waybill/domain"
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
cancelling | x | x | x | x | recorded, forces CancelRefused | same | x | done | cancelled | previous state | x | x
returned | x | x | x | x | x | x | x | x | x | x | = | completed
cancelled | x | x | x | x | x | x | x, or = where a part was shipped | done (nothing to do) | x | x | x, or = where a part was shipped | done
completed | x | x | x | x | x | x | x | x (there is nothing left to cancel) | x | x | OrderReopened first | done
`

// further says the rest of what depends on the state.
const further = `
state | AddressChanged | Delivered (some) | ReturnRequested | ReturnReceived (some) | Reopened
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

func TestEveryCellIsAsSpecified(t *testing.T) {
	t.Parallel()
	if tried := everyCell(t, specified); tried != 10*12 {
		t.Errorf("%d cells tried", tried)
	}
}

func TestTheRestOfTheTable(t *testing.T) {
	t.Parallel()
	if tried := everyCell(t, further); tried != 10*5 {
		t.Errorf("%d cells tried", tried)
	}
}

func everyCell(t *testing.T, table string) (tried int) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(table), "\n")
	columns := cells(lines[0])[1:]
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
				in, some := order.Status(row[0]), goods(column)
				if want == "x, or = where a part was shipped" {
					cell(t, in, column, nothingShipped(some, column), "x")
					want = "="
				}
				cell(t, in, column, some, want)
			})
		}
	}
	return tried
}

func cells(line string) []string {
	all := strings.Split(line, "|")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

// cell tries one happening in one state, which may be one that no order with
// such goods comes to.
func cell(t *testing.T, in order.Status, column string, state order.State, want string) {
	t.Helper()
	state.Status, state.HeldFrom, state.CancellingFrom = in, order.StatusProcessing, order.StatusProcessing
	command, name := happening(column)
	events, err := order.Decider.Decide(state, command)
	recorded := 1
	switch want {
	case "x":
		rule := order.ErrTransition
		if in == order.StatusOnHold && (name == "ship" || name == "request-fulfilment") {
			rule = order.ErrOnHold
		}
		got := (*domain.RuleError)(nil)
		if !errors.Is(err, rule) || !errors.As(err, &got) || got.Details["state"] != string(in) || got.Details["command"] != name || len(events) > 0 {
			t.Errorf("%v, %v; want it refused", events, err)
		}
		return
	case "=":
		want = string(in)
	case "done":
		want, recorded = string(in), 0
	case "previous state":
		want = string(order.StatusProcessing)
	case "recorded, forces CancelRefused":
		recorded = 2
		if len(events) != 2 || events[1].EventName() != "OrderCancelRefused" {
			t.Fatalf("%v, %v; want a refusal of the cancellation to follow", events, err)
		}
		want = map[string]string{"Shipped (some left)": "partially_shipped", "Shipped (all)": "shipped"}[column]
	case "OrderReopened first":
		recorded = 2
		if len(events) != 2 || events[0].EventName() != "OrderReopened" || order.Decider.Fold(state, events[0]).Status != order.StatusDelivered {
			t.Fatalf("%v, %v; want a reopening first", events, err)
		}
		want = "delivered"
		if column == "ReturnReceived (all)" {
			want = "returned"
		}
	}
	if next := order.Decider.Fold(state, events...); err != nil || string(next.Status) != want || len(events) != recorded {
		t.Errorf("%v, %v lead to %s, want %d that lead to %s", events, err, next.Status, recorded, want)
	}
}

// goods are what the command of a column needs: parcels under way, units asked
// back.
func goods(column string) order.State {
	all := []order.Event{two()}
	switch column {
	case "Delivered (all)":
		all = append(all, shipped("s1", 3, 1))
	case "Delivered (some)":
		all = append(all, shipped("s1", 1, 0))
	case "ReturnRequested":
		all = append(all, shipped("s0", 3, 1))
	case "ReturnReceived (all)":
		all = append(all, shipped("s0", 3, 1), asked("r1", 3, 1))
	case "ReturnReceived (some)":
		all = append(all, shipped("s0", 3, 1), asked("r1", 1, 0))
	}
	return order.Decider.Fold(order.State{}, all...)
}

// nothingShipped is the same of an order all of which was cancelled.
func nothingShipped(s order.State, column string) order.State {
	s.PerLine = nil
	if column == "Delivered (all)" {
		s.PerLine = map[string]order.Progress{"1": {Cancelled: 3}, "2": {Cancelled: 1}}
	}
	return s
}

// happening is the command that makes a column's event, and its name.
func happening(column string) (order.Command, string) {
	switch column {
	case "Held":
		return order.Hold{HoldID: "h2", Reason: order.HoldManual}, "hold"
	case "HoldReleased":
		return order.ReleaseHold{By: "b"}, "release"
	case "Edited":
		return order.Edit{EditID: "e1", Lines: []order.Line{line("2", 0, 0)}}, "edit"
	case "FulfilmentRequested":
		return order.RequestFulfilment{RequestID: "f2", Location: "main", Lines: units(0, 1)}, "request-fulfilment"
	case "Shipped (some left)":
		return order.Ship{ShipmentID: "s2", Lines: units(1, 0), At: noon}, "ship"
	case "Shipped (all)":
		return order.Ship{ShipmentID: "s2", Lines: units(3, 1), At: noon}, "ship"
	case "Delivered (all)", "Delivered (some)":
		return order.MarkDelivered{ShipmentID: "s1", At: noon}, "mark-delivered"
	case "CancelRequested":
		return order.RequestCancel{RequestID: "c2", Reason: "customer", By: "a"}, "cancel"
	case "Cancelled":
		return order.Cancel{Voided: eur(1)}, "confirm-cancel"
	case "CancelRefused":
		return order.RefuseCancel{Reason: "picked"}, "refuse-cancel"
	case "ReturnRequested":
		return order.RequestReturn{ReturnID: "r2", Lines: asked("r2", 1, 0).Lines, Kind: order.ForRefund}, "request-return"
	case "ReturnReceived (all)":
		return order.ReceiveReturn{ReturnID: "r1", Lines: received("r1", 3, 1).Lines}, "receive-return"
	case "ReturnReceived (some)":
		return order.ReceiveReturn{ReturnID: "r1", Lines: received("r1", 1, 0).Lines}, "receive-return"
	case "Completed":
		return order.Complete{At: noon}, "complete"
	case "AddressChanged":
		return order.ChangeAddress{ShipToRef: "elsewhere"}, "change-address"
	case "Reopened":
		return order.Reopen{Reason: "claim"}, "reopen"
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
