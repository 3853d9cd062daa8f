package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

const (
	scavengePage  = 1024 // heads looked at with one iterator
	scavengeBatch = 1024 // records removed at once
)

// A removal is the oldest records of one stream.
type removal struct {
	stream    string
	head      head // it was decided by
	first     uint64
	positions []uint64 // of the revisions from head.first to before first
}

// streams looks at every stream, in the order of names.
func (s *scavenger) streams(ctx context.Context) error {
	var seen, total uint64
	total, err := s.node.number(metaNextStreamID, 1)
	if err != nil {
		return err
	}
	for from := []byte{namePrefix}; from != nil; {
		var names []string
		var heads []*head
		if names, heads, from, err = s.node.headsFrom(from); err != nil {
			return err
		}
		if err := s.streamsOf(ctx, names, heads); err != nil {
			return err
		}
		seen += uint64(len(names))
		s.how.Progress(Progress{Stage: "streams", Done: seen, Total: max(seen, total-1)})
	}
	return nil
}

// headsFrom reads some heads, and says where to go on.
func (n *Node) headsFrom(from []byte) (names []string, heads []*head, next []byte, err error) {
	it, err := n.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: []byte{namePrefix + 1}})
	if err != nil {
		return nil, nil, nil, err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if len(names) == scavengePage {
			return names, heads, bytes.Clone(it.Key()), nil
		}
		h, err := decodeHead(it.Value())
		if err != nil {
			return nil, nil, nil, fmt.Errorf("stream %s: %w", it.Key()[1:], err)
		}
		names, heads = append(names, string(it.Key()[1:])), append(heads, h)
	}
	return names, heads, nil, it.Error()
}

// streamsOf removes from the streams in batches: small ones share one.
func (s *scavenger) streamsOf(ctx context.Context, names []string, heads []*head) error {
	var batch []removal
	var size int
	flush := func() error {
		err := s.removeAll(ctx, batch)
		batch, size = nil, 0
		return err
	}
	for i, name := range names {
		h, first := *heads[i], heads[i].first
		for more := true; more; {
			r, err := s.plan(name, &h, scavengeBatch-size)
			if err != nil {
				return err
			}
			if len(r.positions) > 0 {
				batch = append(batch, r)
				size += len(r.positions)
				h.first = r.first
			}
			if more = size == scavengeBatch; more {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if h.first != first {
			s.done.Streams++
		}
	}
	return flush()
}

// plan finds up to limit of the oldest records of the stream that nobody can
// read.
func (s *scavenger) plan(name string, h *head, limit int) (removal, error) {
	r := removal{stream: name, head: *h, first: h.first}
	low, byAge := unreadable(name, h)
	if h.last < 0 || low <= h.first && !byAge {
		return r, nil
	}
	upper := low
	if byAge {
		upper = uint64(h.last)
	}
	it, err := s.node.db.NewIter(&pebble.IterOptions{LowerBound: streamKey(h.id, h.first), UpperBound: streamKey(h.id, upper)})
	if err != nil {
		return r, err
	}
	defer it.Close()
	for ok := it.First(); ok && len(r.positions) < limit; ok = it.Next() {
		_, revision, err := parseStreamKey(it.Key())
		if err != nil {
			return r, err
		}
		position, err := parsePosition(it.Value())
		if err != nil {
			return r, fmt.Errorf("stream %s at %d: %w: %w", name, revision, ErrDamaged, err)
		}
		if position >= s.end {
			break
		}
		if revision >= low {
			old, err := s.expired(position, h.maxAge)
			if err != nil || !old {
				return r, err
			}
		}
		r.positions = append(r.positions, position)
		r.first = revision + 1
	}
	return r, it.Error()
}

// unreadable is the revision before which nothing can be read and nothing must
// stay, and whether what is behind it may have become too old.
func unreadable(name string, h *head) (low uint64, byAge bool) {
	if h.tombstoned {
		return uint64(h.last + 1), false
	}
	last := uint64(max(h.last, 0))
	if _, ok := described(name); ok {
		return last, false
	}
	low = min(h.lowest(), last)
	return low, h.maxAge > 0 && low < last
}

func (s *scavenger) expired(position, maxAge uint64) (bool, error) {
	r, err := s.node.recordIn(position)
	if err != nil {
		return false, err
	}
	return r.Created < s.now-int64(maxAge)*ticksPerSecond, nil
}

// removeAll lets the writer remove, who alone knows the heads as they are.
func (s *scavenger) removeAll(ctx context.Context, batch []removal) error {
	if len(batch) == 0 {
		return ctx.Err()
	}
	err := s.node.inWriter(ctx, func(w *writer) error { return s.removeIn(w, batch) })
	return errors.Join(err, s.rest(ctx))
}

func (s *scavenger) removeIn(w *writer, batch []removal) error {
	b := s.node.db.NewBatch()
	var positions []uint64
	var heads []*head
	var firsts []uint64
	for i := range batch {
		r := &batch[i]
		h, err := w.head(r.stream)
		if err != nil {
			return errors.Join(err, b.Close())
		}
		if h.limits != r.head.limits || h.tombstoned != r.head.tombstoned || h.first != r.head.first {
			continue // somebody has changed what can be read: the next time is another
		}
		for revision := r.head.first; revision < r.first; revision++ {
			if err := b.Delete(streamKey(h.id, revision), nil); err != nil {
				return errors.Join(err, b.Close())
			}
		}
		changed := *h
		changed.first = r.first
		if err := b.Set(nameKey(r.stream), changed.encode(), nil); err != nil {
			return errors.Join(err, b.Close())
		}
		positions, heads, firsts = append(positions, r.positions...), append(heads, h), append(firsts, r.first)
	}
	if len(heads) == 0 {
		return b.Close()
	}
	if err := s.remove(b, positions); err != nil {
		s.node.failure.set(err)
		return err
	}
	for i, h := range heads {
		h.first = firsts[i]
	}
	return b.Close()
}
