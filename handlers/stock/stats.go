package stock

import (
	"sync/atomic"
	"time"
)

// Batch is what was decided and appended in one step.
type Batch struct {
	Item      Item
	Commands  int
	Events    int
	Refused   int           // of the commands, by a rule
	Conflicts int           // appends that somebody else's came before
	Waiting   int           // commands that came meanwhile
	Wait      time.Duration // of the first command, before it was first decided
}

// Stats is what a writer has done, and what it has to do.
type Stats struct {
	Lanes      int   // items in memory
	Remembered int   // their reservations and references
	Waiting    int64 // commands in all queues

	Batches   int64
	Commands  int64 // that were decided in batches
	Events    int64 // appended
	Conflicts int64 // appends that somebody else's came before
	Refused   int64 // commands, by a rule
	Busy      int64 // commands that found a queue full
	Dropped   int64 // commands whose callers had gone
	Lookups   int64 // of something forgotten, in a whole stream
	Snapshots int64 // written
	Ignored   int64 // snapshots that could not be written or used
}

type counts struct {
	waiting, batches, commands, events, conflicts, refused, busy, dropped, lookups, snapshots, ignored atomic.Int64
}

// Stats counts.
func (w *Writer) Stats() Stats {
	c := &w.counts
	w.mu.Lock()
	size := w.size
	w.mu.Unlock()
	return Stats{
		Lanes: w.lanes.Len(), Remembered: size, Waiting: c.waiting.Load(), Batches: c.batches.Load(), Commands: c.commands.Load(),
		Events: c.events.Load(), Conflicts: c.conflicts.Load(), Refused: c.refused.Load(), Busy: c.busy.Load(),
		Dropped: c.dropped.Load(), Lookups: c.lookups.Load(), Snapshots: c.snapshots.Load(), Ignored: c.ignored.Load(),
	}
}

func (w *Writer) batched(b Batch) {
	c := &w.counts
	c.batches.Add(1)
	c.commands.Add(int64(b.Commands))
	c.events.Add(int64(b.Events))
	c.refused.Add(int64(b.Refused))
	if w.config.OnBatch != nil {
		w.config.OnBatch(b)
	}
}

// snapshot tells what became of a snapshot.
func (w *Writer) snapshot(item Item, err error) {
	if err == nil {
		w.counts.snapshots.Add(1)
	} else {
		w.counts.ignored.Add(1)
	}
	if w.config.OnSnapshot != nil {
		w.config.OnSnapshot(item, err)
	}
}
