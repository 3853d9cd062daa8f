package stock

import (
	"encoding/json"
	"errors"

	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
)

// trial is what a batch would do.
type trial struct {
	state   stock.State
	events  []eventstore.NewEvent
	bytes   int
	answers []error // of each command that was decided; nil where it was accepted
	refused int     // of the commands
	moved   bool    // one of them was meant for another revision
}

// decide decides commands until a batch is full.
func (l *lane) decide(batch []*request) trial {
	t := trial{state: l.known.state}
	stream := stock.Decider.Stream(l.id)
	for _, r := range batch {
		events, err := stock.Decider.Decide(l.recalled(t.state, r), r.command)
		if at := l.known.revision + eventstore.Revision(len(t.events)); err == nil && len(events) > 0 && r.expected != nil && *r.expected != at {
			events, err = nil, handlers.ErrRevision.With("expected", int64(*r.expected)).With("revision", int64(at))
			t.moved = true
		}
		crowded := errors.Is(err, stock.ErrCrowded)
		if crowded {
			// The command itself is decided again in the next batch.
			events, err = stock.Decider.Decide(t.state, sweepBefore(r.command))
		}
		bytes := sizeOf(r.meta, events)
		if len(t.events) > 0 && (len(t.events)+len(events) > l.config.Batch || t.bytes+bytes > l.config.BatchBytes) {
			break
		}
		t.bytes += bytes
		t.state = stock.Decider.Fold(t.state, events...)
		t.events = append(t.events, eventstore.NewEvents(stream, r.meta, events...)...)
		if crowded && len(events) > 0 {
			break
		}
		t.answers = append(t.answers, err)
		if isRule(err) {
			t.refused++
		}
	}
	return t
}

// sweepBefore returns what makes room for a command.
func sweepBefore(command stock.Command) stock.Sweep {
	switch c := command.(type) {
	case stock.Reserve:
		return stock.Sweep{At: c.At}
	case stock.Extend:
		return stock.Sweep{At: c.At}
	case stock.Commit:
		return stock.Sweep{At: c.At}
	case stock.Register, stock.SetPolicy, stock.Receive, stock.Adjust, stock.Release, stock.Sweep, stock.Ship, stock.Return:
	}
	return stock.Sweep{}
}

// sizeOf returns about how many bytes the events of one command take.
func sizeOf(meta eventstore.Metadata, events []stock.Event) int {
	if len(events) == 0 {
		return 0
	}
	const around = 64 // id, revision, and the like
	metadata, _ := json.Marshal(meta)
	size := 0
	for _, e := range events {
		data, _ := json.Marshal(e)
		size += len(data) + len(metadata) + len(e.EventName()) + around
	}
	return size
}
