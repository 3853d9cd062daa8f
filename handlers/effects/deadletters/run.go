package deadletters

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/domain/deadletter"
	"github.com/waybill-dev/waybill/eventstore"
)

// Errors a retry may end with before the handler is asked.
var (
	ErrGone  = errors.New("the event is no longer in the log: discard it")
	ErrEarly = errors.New("an earlier event of its stream is put aside as well: decide about that one first")
)

// Job is a retry that is to be carried out.
type Job struct {
	of        deadletter.Of
	announced eventstore.Recorded
	Event     eventstore.Recorded // the edited copy where there is one
	Refused   error               // why the handler need not be asked
}

// Due returns what an event of the decisions' stream asks for; nil when that is
// nothing, or was done. Ordered is for a handler that gets no event while an
// earlier one of its stream is put aside.
func (d *Desk) Due(ctx context.Context, announced eventstore.Recorded, ordered bool) (*Job, error) {
	event, err := announced.Decode()
	if err != nil {
		return nil, err
	}
	asked, ok := event.(deadletter.DeadLetterRetried)
	if !ok {
		return nil, nil
	}
	decided, err := d.decided(ctx, asked.Handler)
	if err != nil {
		return nil, err
	}
	if decided.Revision < announced.Revision {
		return nil, fmt.Errorf("read %s: revision %d is not there yet", announced.Stream, announced.Revision)
	}
	letter := decided.State.Letter(asked.Number)
	if letter.Status != deadletter.Retrying {
		return nil, nil
	}
	job := &Job{of: asked.Of, announced: announced}
	if job.Event, err = d.event(ctx, asked.Stream, eventstore.Revision(asked.Revision)); err != nil {
		return nil, err
	}
	if job.Event.Stream == "" {
		job.Refused = ErrGone
		return job, nil
	}
	if letter.Sealed != nil {
		data, err := d.sealer.Open(letter.Sealed, bound(asked.Handler, asked.Number))
		if err != nil {
			return nil, err
		}
		job.Event = job.Event.WithData(data)
	}
	if ordered {
		job.Refused, err = d.early(ctx, asked.Of, decided.State)
	}
	return job, err
}

// early looks for an earlier event of the same stream that is not closed.
func (d *Desk) early(ctx context.Context, of deadletter.Of, decided deadletter.State) (refused, err error) {
	for p, err := range d.client.ParkedLinks(ctx, of.Handler, 0) {
		if err != nil {
			return nil, err
		}
		if p.Stream == of.Stream && int64(p.Revision) < of.Revision && !decided.Letter(int64(p.Number)).Status.Closed() {
			return ErrEarly, nil
		}
	}
	return nil, nil
}

// Done records what became of a retry: nil is that it was handled.
func (d *Desk) Done(ctx context.Context, job *Job, failed error) error {
	c := deadletter.Close{Of: job.of, At: d.now().UTC()}
	if failed != nil {
		const longest = 2000
		text := []rune(failed.Error())
		if len(text) > longest {
			text = append(text[:longest], '…')
		}
		var err error
		if c.SealedError, err = d.sealer.Seal([]byte(string(text)), bound(job.of.Handler, job.of.Number)); err != nil {
			return fmt.Errorf("seal an error: %w", err)
		}
	}
	id := job.announced.ID.String()
	meta := eventstore.Metadata{Actor: eventstore.Actor{Type: "process", ID: job.of.Handler}, CausationID: id, CommandID: eventstore.DeriveID("dead letter", id)}
	if _, err := d.decide(ctx, job.of.Handler, meta, c); err != nil {
		return fmt.Errorf("record a retry: %w", err)
	}
	return nil
}
