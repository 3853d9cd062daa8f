package node

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// empties removes the records of appends without events.
func (s *scavenger) empties(ctx context.Context) error {
	for from := uint64(0); from < s.end; {
		positions, next, err := s.emptiesFrom(from)
		if err != nil {
			return err
		}
		from = next
		s.how.Progress(Progress{Stage: "log", Done: from, Total: s.end})
		if len(positions) == 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		b := s.node.db.NewBatch()
		if err := s.remove(b, positions); err != nil {
			return err
		}
		if err := errors.Join(b.Close(), s.rest(ctx)); err != nil {
			return err
		}
	}
	return nil
}

func (s *scavenger) emptiesFrom(from uint64) (positions []uint64, next uint64, err error) {
	it, err := s.node.db.NewIter(logBounds(from, s.end))
	if err != nil {
		return nil, 0, err
	}
	defer it.Close()
	seen := 0
	for ok := it.First(); ok; ok = it.Next() {
		v, err := viewOf(it)
		if err != nil {
			return nil, 0, err
		}
		if v.empty() {
			positions = append(positions, v.position)
		}
		if seen++; seen == often || len(positions) == scavengeBatch {
			return positions, v.position + 1, nil
		}
	}
	return positions, s.end, it.Error()
}

// compactStep is how much of the log is compacted at once.
const compactStep = 64 * mebi

// resume goes on with the room that an interrupted scavenging has not given
// back.
func (s *scavenger) resume() {
	s.steps = make(map[uint64]bool)
	for from := s.touched.from; from < s.touched.to; from += compactStep {
		s.steps[from/compactStep] = true
		s.steps[(s.touched.to-1)/compactStep] = true
	}
}

// compact gives the room of what was removed back to the disk: until then the
// files have it, and beside it that it is gone.
func (s *scavenger) compact(ctx context.Context) error {
	if len(s.steps) == 0 {
		return nil
	}
	total := uint64(len(s.steps)) + 1
	for i, step := range slices.Sorted(maps.Keys(s.steps)) {
		from := step * compactStep
		if err := s.compactRange(ctx, logKey(from), logKey(from+compactStep)); err != nil {
			return err
		}
		s.how.Progress(Progress{Stage: "room", Done: uint64(i) + 1, Total: total})
	}
	if err := s.compactRange(ctx, []byte{streamPrefix}, []byte{streamPrefix + 1}); err != nil {
		return err
	}
	s.how.Progress(Progress{Stage: "room", Done: total, Total: total})
	if err := s.node.db.Delete(metaKey(metaRemoved), pebble.Sync); err != nil {
		return err
	}
	return s.node.failure.err()
}

// compactSpare is what a compaction leaves of the disk.
const compactSpare = 64 * mebi

// compactRange is refused where the new files may not find room beside the old
// ones: a full disk would stop the store. What was removed stays removed, and
// the next scavenging goes on here.
func (s *scavenger) compactRange(ctx context.Context, from, to []byte) error {
	size, err := s.node.db.EstimateDiskUsage(from, to)
	if err != nil {
		return err
	}
	usage, err := s.node.fs.GetDiskUsage(s.node.cfg.Dir)
	if need := size + compactSpare; err == nil && usage.AvailBytes < need {
		return &NoSpaceError{Dir: s.node.cfg.Dir, Free: usage.AvailBytes, Need: need}
	}
	return s.node.db.Compact(ctx, from, to, false)
}
