package persistent

import (
	"errors"

	"github.com/waybill-dev/waybill/node"
)

// maxBytes of messages that are not done stop the reading, however few they
// are.
const maxBytes = 32 << 20

// room is how many messages may be read.
func (g *group) room() int {
	s := &g.definition.Settings
	waiting := g.retries.len() + g.buffer.len() + g.parking.len()
	room := s.HistoryBuffer - waiting
	if room < min(s.batch(), s.HistoryBuffer) || g.undone.bytes+g.replay.undone.bytes > maxBytes {
		return 0
	}
	return min(room, s.batch())
}

// fill reads a piece of the source. It reports whether there may be another.
func (g *group) fill() bool {
	if !g.behind || g.failed || g.dead || g.buried {
		return false
	}
	room := g.room()
	if room == 0 {
		return false
	}
	b, err := g.source.read(g.next, g.position, room)
	if err != nil {
		g.unreadable(err)
		return false
	}
	for _, r := range b.records {
		if err := g.read(r); err != nil {
			g.unreadable(err)
			return false
		}
	}
	g.next = max(g.next, b.next)
	g.count += int64(b.skipped)
	g.seen = max(g.seen, b.last)
	g.behind, g.buried = !b.end, b.buried
	return true
}

// read takes one event of the source.
func (g *group) read(r *node.Record) error {
	m, err := g.source.message(r)
	if err != nil || m.at < int64(g.next) {
		return err
	}
	m.before, m.number = g.seen, g.count
	g.seen, g.newest = m.at, m.at
	g.next, g.position = uint64(m.at)+1, r.Position+1
	g.count++
	g.undone.add(m)
	g.buffer.add(m)
	return nil
}

// unreadable tells a stream that was deleted for ever, which is the end, from
// troubles that may pass.
func (g *group) unreadable(err error) {
	if deleted := (*node.StreamDeletedError)(nil); !errors.As(err, &deleted) {
		g.failed = true
		g.troubled("read", err)
		return
	}
	g.dead = true
	g.logger.ErrorContext(g.ctx, "the stream of a persistent subscription is deleted for ever")
	g.dropAll()
}
