// Package delivery decides what is sent to one endpoint next. It is pure:
// events and answers go in with the time they came at, jobs and changes to
// save come out. It promises that the events of one lane are settled in order,
// one at a time, that a lane which fails holds back only itself, and that the
// cursor never passes an event that is neither delivered nor parked. It must
// not know what HTTP, SQL or an event's content is.
package delivery

import (
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// Event is one event an endpoint is to receive.
type Event struct {
	Position eventstore.Position
	Revision eventstore.Revision
	// Lane is the stream the event belongs to: its events go out in order.
	Lane string
	ID   string
	// Payload is whatever the sender needs. It is dropped when the event is
	// parked; the sender then reads it again.
	Payload any
}

// Job is one attempt to make.
type Job struct {
	Event
	// Attempt counts from 1. Failures to connect while the endpoint as a whole
	// is down do not count.
	Attempt int
	beside  bool // its lane, which went on without it
}

// Parked is an event that waits for its next attempt, or for those of its lane
// before it, or that is given up.
type Parked struct {
	Position eventstore.Position
	Revision eventstore.Revision
	Lane     string
	ID       string
	// Attempts were made so far.
	Attempts int
	// Due is when the next attempt may be made; zero waits for those before it.
	Due time.Time
	// Dead says that no further attempt will be made by itself.
	Dead bool
	// Blocked says the same, and that those of its lane behind it wait until
	// somebody decides.
	Blocked bool
	// Resent events go out beside their lane.
	Resent bool
	// Told says that the owner of the endpoint knows that it is given up.
	Told  bool
	Class Class
}

// Changes are what must be saved, in one step.
type Changes struct {
	// Through is the cursor: everything up to it is delivered or parked.
	Through eventstore.Position
	// Parked are rows to write or overwrite, Unparked positions of rows to
	// delete.
	Parked   []Parked
	Unparked []eventstore.Position
	Gate     time.Time
	Breaker  BreakerState
	// Failing is since when nothing succeeded; zero when the endpoint is well.
	Failing time.Time
	// News are to be told once everything else is saved.
	News []News
}

// Config is how patient and how busy a plan is.
type Config struct {
	Schedule Schedule
	Health   HealthConfig
	// BudgetConfig is of no matter where there is a Share, which is of the
	// budget of all runs of the endpoint.
	BudgetConfig
	Share *Share
	// Order says what waits for an event that failed.
	Order Order
	// Block holds a lane whose event is exhausted until somebody decides;
	// otherwise it goes on without it.
	Block bool
	// Window is how many events may be taken and not yet settled: the most
	// that is sent twice after a crash.
	Window int
	// MaxParked stops the cursor when so many events are parked.
	MaxParked int
	// SpillAfter is how long the oldest event may be under way before it is
	// parked provisionally, so that the others need not wait for its answer.
	SpillAfter time.Duration
}
