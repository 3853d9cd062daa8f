package persistent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/waybill-dev/waybill/node"
)

// nothing is the place before the first event of a source.
const nothing = -1

// A source is what a group follows: a stream or the log.
type source struct {
	node    *node.Node
	stream  string
	filter  *node.Filter
	resolve bool
}

// A batch is a piece of a source.
type batch struct {
	records []*node.Record
	next    uint64 // where the next one begins
	end     bool   // nothing more was stored
	skipped int    // events behind the last record that the filter left out
	last    int64  // the last event looked at
	buried  bool   // the last record is the stream's tombstone
}

func (s *source) all() bool { return s.stream == All }

// at is where an event is, in the order of the source.
func (s *source) at(r *node.Record) int64 {
	if s.all() {
		return int64(r.Position)
	}
	return int64(r.Revision)
}

// read returns what is at from or behind it. position is behind the last record
// that was read before.
func (s *source) read(from, position uint64, limit int) (batch, error) {
	if s.all() {
		return s.readAll(from, limit)
	}
	page, err := s.node.ReadStream(node.StreamRead{Stream: s.stream, From: from, Limit: limit})
	if missing := (*node.NotFoundError)(nil); errors.As(err, &missing) {
		return batch{next: from, end: true, last: nothing}, nil
	}
	if deleted := (*node.StreamDeletedError)(nil); errors.As(err, &deleted) {
		return s.readBuried(err, position, limit)
	}
	if err != nil {
		return batch{}, err
	}
	b := batch{records: page.Records, next: max(from, page.Next), last: nothing}
	b.end = page.End || b.next == from
	if n := len(page.Records); n > 0 {
		b.last = s.at(page.Records[n-1])
	}
	return b, nil
}

func (s *source) readAll(from uint64, limit int) (batch, error) {
	r := node.AllRead{From: from, Limit: limit, Filter: s.filter, TailOnly: true}
	page, err := s.node.ReadAll(r)
	if err != nil {
		return batch{}, err
	}
	inMemory := !page.Missed
	if page.Missed {
		r.TailOnly = false
		if page, err = s.node.ReadAll(r); err != nil {
			return batch{}, err
		}
	}
	b := batch{records: page.Records, next: page.Next, end: page.End, last: nothing}
	if page.Considered > 0 {
		b.last = int64(page.Last)
	}
	if s.filter == nil {
		if n := len(page.Records); n > 0 {
			b.last = s.at(page.Records[n-1])
		}
		return b, nil
	}
	b.skipped = page.Considered - len(page.Records)
	if inMemory {
		b.skipped, err = s.countSkipped(from, &page)
	}
	return b, err
}

// countSkipped leaves out the events the log does not show. The state of groups
// is among them: a checkpoint that counted the checkpoints would never rest.
func (s *source) countSkipped(from uint64, filtered *node.Page) (int, error) {
	const limit = 512
	skipped := -len(filtered.Records)
	for {
		page, err := s.node.ReadAll(node.AllRead{From: from, Limit: limit, TailOnly: true})
		if err != nil || page.Missed {
			return filtered.Considered - len(filtered.Records), err
		}
		for _, r := range page.Records {
			if r.Position <= filtered.Last {
				skipped++
			}
		}
		if page.End || page.Next > filtered.Last {
			return skipped, nil
		}
		from = page.Next
	}
}

// last is where the newest event of the source is.
func (s *source) last() (int64, error) {
	if s.all() {
		return int64(s.node.End()) - 1, nil
	}
	info, err := s.node.Info(s.stream)
	if deleted := (*node.StreamDeletedError)(nil); errors.As(err, &deleted) {
		return nothing, nil
	}
	return info.Last, err
}

// text is a place as the original writes it; nothing is empty.
func (s *source) text(at int64) string {
	switch {
	case at == nothing:
		return ""
	case s.all():
		return fmt.Sprintf("C:%d/P:%d", at, at)
	}
	return strconv.FormatInt(at, 10)
}

func (s *source) parse(text string) (at int64, err error) {
	if s.all() {
		at, _, err = parsePosition(text)
	} else {
		at, err = strconv.ParseInt(text, 10, 64)
	}
	if err == nil && (at < 0 || at == math.MaxInt64) {
		err = fmt.Errorf("%q is not a place in a stream", text)
	}
	return at, err
}

// watch calls grew whenever the source may have more than it had when the log
// ended at from, until ctx ends. What other streams get is looked at once, in
// memory, and does not wake the group; but the log does not have the events of
// a virtual stream under its name.
func (s *source) watch(ctx context.Context, from uint64, grew func()) {
	for {
		if err := s.node.WaitStream(ctx, s.stream, from); err != nil {
			return
		}
		end := s.node.StreamEnd(s.stream)
		if s.all() || s.node.Virtual(s.stream) {
			grew()
			from = end
			continue
		}
		for from < end {
			next, grown := s.look(from)
			if grown {
				grew()
			}
			from = next
		}
	}
}

func (s *source) look(from uint64) (next uint64, grown bool) {
	end := s.node.End()
	page, err := s.node.ReadAll(s.inLog(from, math.MaxInt32))
	if err != nil || page.Missed {
		return end, true
	}
	return page.Next, len(page.Records) > 0
}

// inLog reads what the log, as far as it is in memory, has of the stream.
func (s *source) inLog(from uint64, limit int) node.AllRead {
	return node.AllRead{
		From: from, Limit: limit, TailOnly: true,
		Filter: &node.Filter{By: node.ByStream, Exact: s.stream},
	}
}

// readBuried reads a stream that was deleted for ever: whoever was live still
// sees its last events and the tombstone. position is behind the last record
// that was read. It is refused when the events are no longer in memory.
func (s *source) readBuried(refused error, position uint64, limit int) (batch, error) {
	page, err := s.node.ReadAll(s.inLog(position, limit))
	if err != nil {
		return batch{}, err
	}
	n := len(page.Records)
	if page.Missed || n == 0 {
		return batch{}, refused
	}
	last := page.Records[n-1]
	return batch{records: page.Records, last: s.at(last), buried: last.Type == node.TypeTombstone}, nil
}

// message follows the link that an event may be.
func (s *source) message(r *node.Record) (*message, error) {
	m := &message{event: r, at: s.at(r)}
	if !s.resolve {
		return m, nil
	}
	return m, m.follow(s.node)
}

func (m *message) follow(n *node.Node) error {
	if _, _, ok := m.event.Link(); !ok {
		return nil
	}
	target, err := n.Resolve(m.event)
	m.event, m.link = target, m.event
	return err
}
