package persistent

import (
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/node"
)

// replay delivers parked messages again. What is delivered but not done yet
// stays in the parked stream: it is parked again after a crash.
type replay struct {
	next    int64 // revision to read next
	stop    int64 // revision to stop at, not included
	from    int64 // where the parked stream was made to begin
	undone  order
	failed  bool // until the next tick
	writing bool
}

// startReplay takes the parked messages before stopAt, or all there are.
func (g *group) startReplay(stopAt *int64) error {
	info, err := g.parkedInfo()
	if err != nil {
		return err
	}
	r := &g.replay
	stop := info.Last + 1
	if stopAt != nil {
		stop = min(stop, *stopAt)
	}
	r.next = max(r.next, info.First)
	r.from = max(r.from, info.First)
	r.stop = max(r.stop, stop)
	return nil
}

// parkedInfo is an empty stream where there is none.
func (g *group) parkedInfo() (node.StreamInfo, error) {
	info, err := g.node.Info(g.parkedStream())
	deleted := (*node.StreamDeletedError)(nil)
	if errors.As(err, &deleted) || err == nil && (info.Last < 0 || info.Deleted) {
		return node.StreamInfo{First: 0, Last: -1}, nil
	}
	return info, err
}

func (r *replay) reading() bool { return r.next < r.stop }

// replayMore reads a piece of the parked stream. It reports whether there may
// be another.
func (g *group) replayMore() bool {
	r := &g.replay
	room := g.room()
	if !r.reading() || r.failed || room == 0 {
		return false
	}
	page, err := g.node.ReadStream(node.StreamRead{Stream: g.parkedStream(), From: uint64(r.next), Limit: room})
	missing := (*node.NotFoundError)(nil)
	if err != nil && !errors.As(err, &missing) {
		r.failed = true
		g.troubled("read parked messages", err)
		return false
	}
	for _, record := range page.Records {
		if int64(record.Revision) >= r.stop {
			break
		}
		if err := g.replayOne(record); err != nil {
			r.failed = true
			g.troubled("read a parked message", err)
			return false
		}
	}
	if page.End || len(page.Records) == 0 {
		r.next = r.stop
	}
	return true
}

// replayOne passes over a message whose event is gone.
func (g *group) replayOne(record *node.Record) error {
	m := &message{event: record, at: int64(record.Revision), replayed: true}
	if err := m.follow(g.node); err != nil {
		return err
	}
	g.replay.next = m.at + 1
	if m.event != nil {
		g.replay.undone.add(m)
		g.retries.insert(m)
	}
	return nil
}

// finishReplay lets the parked stream begin behind what is done: when all of it
// is, or from time to time.
func (g *group) finishReplay(byTime bool) {
	r := &g.replay
	low := min(r.next, r.stop)
	if m := r.undone.first; m != nil {
		low = m.at
		if !byTime {
			return
		}
	}
	if low <= r.from || r.writing || r.failed || r.reading() && !byTime {
		return
	}
	r.writing = true
	stream, metadata := g.parkedStream(), fmt.Sprintf(parkedMetadataFrom, low)
	g.write(func() error { return writeMetadata(g.ctx, g.node, stream, metadata) }, func(err error) {
		r.writing = false
		if err != nil {
			r.failed = true
			g.troubled("remove replayed messages", err)
			return
		}
		r.from = low
	})
}

// parkedCount leaves out what is being replayed.
func (g *group) parkedCount() int64 {
	info, err := g.parkedInfo()
	if err != nil {
		return 0
	}
	return max(0, info.Last+1-max(info.First, g.replay.stop))
}
