package order

import "slices"

// Status is where an order is in its life.
type Status string

// Where an order may be. One that was never placed has no status.
const (
	StatusPlaced           Status = "placed"
	StatusOnHold           Status = "on_hold"
	StatusProcessing       Status = "processing"
	StatusPartiallyShipped Status = "partially_shipped"
	StatusShipped          Status = "shipped"
	StatusDelivered        Status = "delivered"
	StatusCancelling       Status = "cancelling"
	StatusReturned         Status = "returned"
	StatusCancelled        Status = "cancelled"
	StatusCompleted        Status = "completed"
)

// Happening is what an event means for the life of an order. Where it matters
// whether an event is about all units or some, there are two.
type Happening string

// What may happen in the life of an order. What is not here is allowed in
// every state and moves none.
const (
	Held                Happening = "Held"
	HoldReleased        Happening = "HoldReleased"
	Edited              Happening = "Edited"
	FulfilmentRequested Happening = "FulfilmentRequested"
	ShippedSome         Happening = "Shipped (some left)"
	ShippedAll          Happening = "Shipped (all)"
	DeliveredAll        Happening = "Delivered (all)"
	CancelRequested     Happening = "CancelRequested"
	CancelDone          Happening = "Cancelled"
	CancelRefused       Happening = "CancelRefused"
	ReturnedAll         Happening = "ReturnReceived (all)"
	Completed           Happening = "Completed"
	AddressChanged      Happening = "AddressChanged"
	DeliveredSome       Happening = "Delivered (some)"
	ReturnAsked         Happening = "ReturnRequested"
	ReturnedSome        Happening = "ReturnReceived (some)"
	Reopened            Happening = "Reopened"
)

// Happenings lists the columns of [Table], in their order.
func Happenings() []Happening { return columns[:] }

// Cell is what a happening does in a state: one of those below, or the name of
// the state it leads to.
type Cell string

// What a happening may do but lead to a certain state.
const (
	Refuse      Cell = "x"                              // it does not happen
	Stay        Cell = "="                              // it is recorded
	Ignore      Cell = "done"                           // it is done already: nothing is recorded
	Back        Cell = "back"                           // it is recorded and leads back to the state before
	Force       Cell = "recorded, forces CancelRefused" // and that leads on to where the shipment took it
	ReopenFirst Cell = "OrderReopened first"            // the order is reopened, and then it happens
	Partly      Cell = "x, or = where a part was shipped"
)

// Row is what may happen in a state, in the order of [Happenings].
type Row struct {
	State Status
	Cells [len(columns)]Cell
}

// Table is the life of every order. An order is placed, and from then on every
// event is looked up here.
func Table() []Row { return table }

var columns = [...]Happening{
	Held, HoldReleased, Edited, FulfilmentRequested, ShippedSome, ShippedAll, DeliveredAll, CancelRequested, CancelDone, CancelRefused, ReturnedAll, Completed,
	AddressChanged, DeliveredSome, ReturnAsked, ReturnedSome, Reopened,
}

// Short names keep a row of the table on one line.
const (
	no       = Refuse
	stay     = Stay
	done     = Ignore
	back     = Back
	forced   = Force
	partly   = Partly
	reopen   = ReopenFirst
	hold     = Cell(StatusOnHold)
	process  = Cell(StatusProcessing)
	part     = Cell(StatusPartiallyShipped)
	ship     = Cell(StatusShipped)
	deliver  = Cell(StatusDelivered)
	cancel   = Cell(StatusCancelling)
	undone   = Cell(StatusCancelled)
	returned = Cell(StatusReturned)
	complete = Cell(StatusCompleted)
)

var table = []Row{
	// Held, released, edited, requested, shipped: some, all; delivered, cancel: requested, done, refused; returned, completed,
	// and: address, delivered: some; return requested, received: some; reopened.
	{StatusPlaced, [...]Cell{hold, no, stay, process, part, ship, no, cancel, no, no, no, no, stay, no, no, no, no}},
	{StatusOnHold, [...]Cell{stay, back, stay, no, no, no, no, cancel, no, no, no, no, stay, stay, no, no, no}},
	{StatusProcessing, [...]Cell{hold, no, no, stay, part, ship, no, cancel, no, no, no, no, stay, no, no, no, no}},
	{StatusPartiallyShipped, [...]Cell{hold, no, no, stay, stay, ship, no, cancel, no, no, stay, no, stay, stay, stay, stay, no}},
	{StatusShipped, [...]Cell{no, no, no, no, no, no, deliver, no, no, no, returned, no, no, stay, stay, stay, no}},
	{StatusDelivered, [...]Cell{no, no, no, no, no, no, stay, no, no, no, returned, complete, no, no, stay, stay, no}},
	{StatusCancelling, [...]Cell{no, no, no, no, forced, forced, no, done, undone, back, no, no, stay, stay, no, no, no}},
	{StatusReturned, [...]Cell{no, no, no, no, no, no, no, no, no, no, stay, complete, no, stay, no, no, no}},
	{StatusCancelled, [...]Cell{no, no, no, no, no, no, partly, done, no, no, partly, done, no, partly, partly, partly, no}},
	{StatusCompleted, [...]Cell{no, no, no, no, no, no, no, no, no, no, reopen, done, no, no, reopen, reopen, deliver}},
}

// transition looks up what a happening does in a state.
func transition(in Status, happening Happening) Cell {
	for _, row := range table {
		if row.State != in {
			continue
		}
		for i, column := range columns {
			if column == happening {
				return row.Cells[i]
			}
		}
	}
	return no
}

// allowed lists the commands that do something in a state.
func allowed(in Status) []string {
	commands := []string{}
	for _, happening := range columns {
		command := commandOf[happening]
		if e := transition(in, happening); e == Refuse || e == Ignore || e == Partly {
			continue
		}
		if !slices.Contains(commands, command) {
			commands = append(commands, command)
		}
	}
	return commands
}

// commandOf names the commands for people and programs.
var commandOf = map[Happening]string{
	Held: "hold", HoldReleased: "release", Edited: "edit", FulfilmentRequested: "request-fulfilment", ShippedSome: "ship", ShippedAll: "ship",
	DeliveredAll: "mark-delivered", DeliveredSome: "mark-delivered", CancelRequested: "cancel", CancelDone: "confirm-cancel", CancelRefused: "refuse-cancel",
	ReturnAsked: "request-return", ReturnedSome: "receive-return", ReturnedAll: "receive-return", Completed: "complete",
	AddressChanged: "change-address", Reopened: "reopen",
}
