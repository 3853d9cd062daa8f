package node

import (
	"context"
	"encoding/binary"
	"fmt"
)

// logWalk is what the records so far say about the next one.
type logWalk struct {
	c        *checker
	end      uint64 // where the next record should be
	open     bool   // the append before is not at its end
	unknown  bool   // whether it is, because something is missing
	stream   uint64 // of the append that is open
	revision uint64 // its next
	orphans  map[uint64]bool
}

// checkLog reads every record.
func (c *checker) checkLog(ctx context.Context) error {
	total, err := c.logEnd()
	if err != nil {
		return err
	}
	w := logWalk{c: c, end: logStart, orphans: map[uint64]bool{}}
	err = c.walk(ctx, []byte{logPrefix}, []byte{logPrefix + 1}, func(key, value []byte) {
		position, err := parseLogKey(key)
		if err != nil {
			c.problem("record", fmt.Sprintf("key %x", key), "%s", err)
			return
		}
		if c.report.Records++; c.report.Records%often == 0 {
			c.advance("log", position, total)
		}
		v, err := viewRecord(position, value)
		if err != nil {
			c.problem("record", fmt.Sprint(position), "%s", err)
			w.unknown, w.end = true, 0
			return
		}
		w.record(&v)
	})
	if w.open && !w.unknown {
		c.problem("append", fmt.Sprint(w.end), "the log ends in the middle of an append to %s", c.stream(w.stream))
	}
	c.report.End = max(w.end, logStart)
	c.advance("log", total, total)
	return err
}

func (c *checker) logEnd() (uint64, error) {
	it, err := c.reader.NewIter(logBounds(0, ^uint64(0)))
	if err != nil {
		return 0, err
	}
	defer it.Close()
	if !it.Last() {
		return 0, nil
	}
	end, err := parseLogKey(it.Key())
	if err != nil {
		return 0, nil // the walk will say so
	}
	return end, nil
}

func (w *logWalk) record(v *recordView) {
	w.place(v)
	id, revision := v.streamID(), v.revision()
	w.flags(v, id, revision)
	w.end = v.end()
	if v.empty() {
		return
	}
	switch sum, known := w.c.names.get(id); {
	case !known:
		w.orphan(v, id)
	case sum != w.c.nameSum(v.stream):
		w.c.problem("record", fmt.Sprint(v.position), "calls its stream %q, which is not the name of %s", v.stream, w.c.stream(id))
	}
	w.c.records.say(v.position, mix(id, revision, v.position))
	w.c.linksOf(v)
}

// orphan tells of each of the first streams without a head once.
func (w *logWalk) orphan(v *recordView, id uint64) {
	if w.orphans[id] || len(w.orphans) > w.c.limit {
		return
	}
	w.orphans[id] = true
	w.c.problem("record", fmt.Sprint(v.position), "is the first of %s, %q, which has no head", w.c.stream(id), v.stream)
}

// place looks at where the record is. Where scavenging has been, any may be
// missing.
func (w *logWalk) place(v *recordView) {
	switch {
	case w.end == 0 || v.position == w.end:
	case v.position < w.end:
		w.c.problem("record", fmt.Sprint(v.position), "lies within the one before it, which ends at %d", w.end)
		w.unknown = true
	case v.position > w.c.scavenged:
		w.c.problem("gap", fmt.Sprint(w.end), "nothing is stored between %d and %d", w.end, v.position)
		w.unknown = true
	default:
		w.unknown = true
	}
}

func (w *logWalk) flags(v *recordView, id, revision uint64) {
	first, last := v.flags()&flagFirst != 0, v.flags()&flagLast != 0
	if !w.unknown {
		w.follows(v, first, id, revision)
	}
	w.open, w.unknown = !last, false
	w.stream, w.revision = id, revision+1
}

func (w *logWalk) follows(v *recordView, first bool, id, revision uint64) {
	where := fmt.Sprint(v.position)
	switch {
	case first && w.open:
		w.c.problem("append", where, "begins an append before the end of the one to %s", w.c.stream(w.stream))
	case !first && !w.open:
		w.c.problem("append", where, "is in the middle of an append that has no beginning")
	case w.open && (id != w.stream || revision != w.revision):
		w.c.problem("append", where, "is revision %d of %s in an append that goes on with %d of %s",
			revision, w.c.stream(id), w.revision, w.c.stream(w.stream))
	}
}

func (v recordView) streamID() uint64 { return binary.BigEndian.Uint64(v.header[2:]) }

func (v recordView) revision() uint64 { return binary.BigEndian.Uint64(v.header[10:]) }

// end is where the record behind it belongs.
func (v recordView) end() uint64 {
	return v.position + logSize(len(v.stream), len(v.typ), len(v.data)+len(v.metadata))
}
