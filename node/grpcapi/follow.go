package grpcapi

import (
	"errors"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/waybill-dev/waybill/node"
)

// stream follows one stream: through its index up to the end of what is
// stored, and then through the newest records of the log.
func (s *subscription) stream(from *streams.ReadReq_Options_StreamOptions) error {
	f := streamFollower{subscription: s, name: nameOf(from)}
	if err := node.ValidStream(f.name); err != nil {
		return err
	}
	f.position = s.node.StreamEnd(f.name)
	_, caught := from.GetRevisionOption().(*streams.ReadReq_Options_StreamOptions_End)
	if at, ok := from.GetRevisionOption().(*streams.ReadReq_Options_StreamOptions_Revision); ok {
		caught = at.Revision == math.MaxUint64 // another way to say the end
		f.next = at.Revision + 1
	}
	var skipped error
	if caught { // before it is confirmed: what is written afterwards is to be shown
		skipped = f.skip()
	}
	if err := s.confirm(); err != nil {
		return err
	}
	if skipped != nil {
		return skipped
	}
	for {
		if !caught {
			if err := f.catchUp(); err != nil {
				return err
			}
		}
		if err := f.follow(); err != nil {
			return err
		}
		caught = false
	}
}

// streamFollower is at revision next of its stream and at position in the log;
// all of the stream before position has been sent.
type streamFollower struct {
	*subscription
	name     string
	next     uint64
	position uint64
}

// skip goes behind what the stream has.
func (f *streamFollower) skip() error {
	info, err := f.node.Info(f.name)
	f.next = uint64(info.Last + 1)
	return err
}

func (f *streamFollower) catchUp() error {
	for {
		f.position = f.node.StreamEnd(f.name)
		page, err := f.node.ReadStream(node.StreamRead{Stream: f.name, From: f.next, Limit: pageOfPast})
		if missing := (*node.NotFoundError)(nil); errors.As(err, &missing) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(page.Records) > behind {
			f.live = false
		}
		if err := f.send(page.Records, false); err != nil {
			return err
		}
		f.next = page.Next
		if page.End {
			return nil
		}
	}
}

// follow returns without an error when the log has run away.
func (f *streamFollower) follow() error {
	if f.node.Virtual(f.name) {
		return f.wait()
	}
	r := node.AllRead{
		From: f.position, Limit: math.MaxInt32, TailOnly: true,
		Filter: &node.Filter{By: node.ByStream, Exact: f.name},
	}
	for {
		f.subscription.position.Store(r.From)
		page, err := f.node.ReadAll(r)
		if err != nil {
			return err
		}
		if err := f.guard.check(); err != nil {
			return err
		}
		if page.Missed {
			f.live = false
			return nil
		}
		if len(page.Records) > behind {
			f.live = false
		}
		if err := f.deliver(page.Records); err != nil {
			return err
		}
		if r.From = page.Next; !page.End {
			continue
		}
		if err := f.caughtUp(f.place); err != nil {
			return err
		}
		if err := f.waiter.Wait(f.ctx, page.Next); err != nil {
			return err
		}
	}
}

// wait is how a stream is followed of which the log has nothing.
func (f *streamFollower) wait() error {
	if err := f.caughtUp(f.place); err != nil {
		return err
	}
	f.subscription.position.Store(f.position)
	return f.node.WaitStream(f.ctx, f.name, f.position)
}

// deliver leaves out what the index has already shown. It ends with the event
// that says that the stream is deleted for ever.
func (f *streamFollower) deliver(records []*node.Record) error {
	for len(records) > 0 && records[0].Revision < f.next {
		records = records[1:]
	}
	if err := f.send(records, true); err != nil || len(records) == 0 {
		return err
	}
	last := records[len(records)-1]
	if last.Type == node.TypeTombstone {
		return &node.StreamDeletedError{Stream: f.name}
	}
	f.next = last.Revision + 1
	return nil
}
