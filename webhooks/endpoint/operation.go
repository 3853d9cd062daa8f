package endpoint

import (
	"slices"
	"time"
)

// ReasonFailing is why an endpoint is disabled to which nothing could be
// delivered for days.
const ReasonFailing = "failing"

// ReportFailing says for how long nothing was delivered. Reporting the same
// again is harmless.
type ReportFailing struct {
	Since time.Time
	After time.Duration
	At    time.Time
}

// ReportRecovered says that something was delivered after all.
type ReportRecovered struct{ At time.Time }

// ReportGone says that the receiver wants nothing any more; the endpoint is
// disabled.
type ReportGone struct{ At time.Time }

// ReportExhausted names events that are not tried any more. Reporting the same
// again is harmless.
type ReportExhausted struct {
	Events []Exhausted
	At     time.Time
}

// Resend wants an event sent again. It is recorded each time: what it means
// depends on where the event is by then.
type Resend struct {
	Chosen
	At time.Time
}

// Skip wants an event given up. It is recorded each time, as [Resend] is.
type Skip struct {
	Chosen
	At time.Time
}

func (ReportFailing) command()   {}
func (ReportRecovered) command() {}
func (ReportGone) command()      {}
func (ReportExhausted) command() {}
func (Resend) command()          {}
func (Skip) command()            {}

// Operation is how deliveries go, as far as the owner was told.
type Operation struct {
	// FailingSince is zero unless the owner was told that the endpoint fails,
	// and FailingAfter the longest time that was told.
	FailingSince time.Time
	FailingAfter time.Duration
	// Starts counts how often deliveries were started again.
	Starts int
	// Exhausted are the ids of events that were given up and not sent again, the
	// last ones: more than are reported again when the ledger is lost.
	Exhausted []string
}

// mostExhausted is as many as may wait for another attempt.
const mostExhausted = 10_000

func decideOperation(s State, c Command) []Event {
	switch c := c.(type) { //nolint:gochecksumtype // decide sends these alone
	case ReportFailing:
		return decideFailing(s, c)
	case ReportRecovered:
		if s.Operation.FailingSince.IsZero() {
			return nil
		}
		return []Event{Recovered{EndpointID: s.ID, Since: s.Operation.FailingSince, RecoveredAt: c.At}}
	case ReportGone:
		if s.Status == StatusDisabled {
			return nil
		}
		return []Event{Gone{EndpointID: s.ID, GoneAt: c.At}, Disabled{EndpointID: s.ID, Reason: ReasonGone, DisabledAt: c.At}}
	case ReportExhausted:
		return decideExhausted(s, c)
	case Resend:
		return []Event{DeliveryResent{EndpointID: s.ID, Chosen: c.Chosen, ResentAt: c.At}}
	case Skip:
		return []Event{DeliverySkipped{EndpointID: s.ID, Chosen: c.Chosen, SkippedAt: c.At}}
	}
	panic("endpoint: impossible command")
}

// decideFailing records each time once. What was found out before the owner
// enabled a disabled endpoint, or while it is disabled, is of no interest.
func decideFailing(s State, c ReportFailing) []Event {
	if s.Status == StatusDisabled || (s.Operation.FailingSince.Equal(c.Since) && s.Operation.FailingAfter >= c.After) {
		return nil
	}
	return []Event{Failing{EndpointID: s.ID, Since: c.Since, AfterMillis: c.After.Milliseconds(), FailingAt: c.At}}
}

func decideExhausted(s State, c ReportExhausted) []Event {
	var events []Event
	for i, one := range c.Events {
		known := slices.Contains(s.Operation.Exhausted, one.EventID)
		if repeated := slices.ContainsFunc(c.Events[:i], func(e Exhausted) bool { return e.EventID == one.EventID }); !known && !repeated {
			events = append(events, DeliveryExhausted{EndpointID: s.ID, Exhausted: one, ExhaustedAt: c.At})
		}
	}
	return events
}

func evolveOperation(o Operation, e Event) Operation {
	switch e := e.(type) { //nolint:gochecksumtype // evolve has a case for each event
	case Failing:
		o.FailingSince, o.FailingAfter = e.Since, time.Duration(e.AfterMillis)*time.Millisecond
	case Recovered:
		o.FailingSince, o.FailingAfter = time.Time{}, 0
	case Enabled, Resumed:
		o.FailingSince, o.FailingAfter = time.Time{}, 0
		o.Starts++
	case DeliveryExhausted:
		o.Exhausted = append(o.Exhausted, e.EventID)
		o.Exhausted = o.Exhausted[max(len(o.Exhausted)-mostExhausted, 0):]
	case DeliveryResent:
		o.Exhausted = slices.DeleteFunc(slices.Clone(o.Exhausted), func(id string) bool { return id == e.EventID })
	}
	return o
}
