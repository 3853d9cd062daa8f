package node

import (
	"context"
	"math"
	"strings"
)

// FromEnd is the position, or the revision, behind everything.
const FromEnd = math.MaxUint64

// An AllRead asks for a page of the log.
type AllRead struct {
	// From is where to begin: forwards at it, backwards before it.
	From      uint64
	Backwards bool
	Limit     int // records at most
	Filter    *Filter

	// TailOnly is for a reader who has a better way than the log to what is no
	// longer in memory: the page is Missed then.
	TailOnly bool

	// Every is after how many records looked at to set a mark; 0 is never.
	// Counted is how many of them previous pages have counted.
	Every, Counted int
}

// End is where the next record will be. Whatever was acknowledged is before it.
func (n *Node) End() uint64 { return n.end.Load() }

// ReadAll returns a page of the log.
func (n *Node) ReadAll(r AllRead) (Page, error) {
	end := n.end.Load()
	if r.Backwards {
		return n.readAllBackwards(r, min(r.From, end))
	}
	if r.From >= end {
		return Page{Next: r.From, End: true}, n.readable()
	}
	if records, whole, ok := n.tail.from(r.From, r.window()); ok {
		p := r.scanTail(records)
		p.Shared = true
		n.metrics.count("memory", &p)
		if whole && p.Considered == len(records) {
			p.Next, p.End = max(p.Next, end), true
		}
		return p, n.readable()
	}
	if r.TailOnly {
		return Page{Next: r.From, Missed: true}, n.readable()
	}
	return n.readAllForwards(r, end)
}

// readable says why nothing can be read.
func (n *Node) readable() error {
	if n.closed.Load() {
		return ErrClosed
	}
	return nil
}

// window is how many records may have to be looked at for one page.
func (r *AllRead) window() int {
	if r.Filter == nil {
		return min(r.Limit, pageRecords)
	}
	return pageConsidered
}

// hidden is the beginning of the names of streams that keep the state of
// persistent subscriptions to the log. The log does not show them: each event
// delivered would otherwise cause another.
const hidden = "$persistentsubscription-$all::"

func hides[S string | []byte](r *AllRead, stream S) bool {
	if len(stream) < len(hidden) || string(stream[:len(hidden)]) != hidden {
		return false
	}
	name := string(stream)
	return (r.Filter == nil || r.Filter.Exact == "") &&
		(strings.HasSuffix(name, "-checkpoint") || strings.HasSuffix(name, "-parked"))
}

func (r *AllRead) scanTail(records []*Record) Page {
	p := Page{Next: r.From}
	for _, rec := range records {
		if p.full(r.Limit) {
			return p
		}
		r.consider(&p, rec.Position)
		p.Next = rec.end()
		if rec.flags&flagEmpty == 0 && !hides(r, rec.Stream) && r.Filter.matchRecord(rec) {
			p.add(rec)
		}
		r.mark(&p)
	}
	return p
}

func (r *AllRead) consider(p *Page, position uint64) {
	p.Considered++
	p.Last = position
}

func (r *AllRead) mark(p *Page) {
	if r.Every > 0 && (r.Counted+p.Considered)%r.Every == 0 {
		p.Marks = append(p.Marks, Mark{After: len(p.Records), Position: p.Last})
	}
}

func (n *Node) readAllForwards(r AllRead, end uint64) (Page, error) {
	p := Page{Next: r.From}
	err := n.reading(func() error {
		it, err := n.db.NewIter(logBounds(r.From, end))
		if err != nil {
			return err
		}
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			if p.full(r.Limit) {
				return it.Error()
			}
			v, err := viewOf(it)
			if err != nil {
				return err
			}
			r.consider(&p, v.position)
			p.Next = v.position + 1
			if !v.empty() && !hides(&r, v.stream) && r.Filter.matchView(&v) {
				p.add(v.record(p.near()))
			}
			r.mark(&p)
		}
		p.Next, p.End = end, true
		return it.Error()
	})
	n.metrics.count("log", &p)
	return p, err
}

func (n *Node) readAllBackwards(r AllRead, before uint64) (Page, error) {
	p := Page{Next: before}
	err := n.reading(func() error {
		it, err := n.db.NewIter(logBounds(0, before))
		if err != nil {
			return err
		}
		defer it.Close()
		for ok := it.Last(); ok; ok = it.Prev() {
			if p.full(r.Limit) {
				return it.Error()
			}
			v, err := viewOf(it)
			if err != nil {
				return err
			}
			r.consider(&p, v.position)
			p.Next = v.position
			if !v.empty() && !hides(&r, v.stream) && r.Filter.matchView(&v) {
				p.add(v.record(p.near()))
			}
		}
		p.Next, p.End = 0, true
		return it.Error()
	})
	n.metrics.count("log", &p)
	return p, err
}

// reading keeps the files open while read runs.
func (n *Node) reading(read func() error) error {
	n.readers.RLock()
	defer n.readers.RUnlock()
	if err := n.readable(); err != nil {
		return err
	}
	return nameDamage(read())
}

// Wait returns when the log has grown beyond end.
func (n *Node) Wait(ctx context.Context, end uint64) error { return Waiter{node: n}.Wait(ctx, end) }

// A Waiter is somebody who waits for the log again and again. When there are
// many, they are not woken all at once.
type Waiter struct {
	node *Node
	part int
}

// Waiter makes one more.
func (n *Node) Waiter() Waiter { return Waiter{node: n, part: n.changed.seat()} }

// Wait returns when the log has grown beyond end.
func (w Waiter) Wait(ctx context.Context, end uint64) error {
	n := w.node
	for {
		changed := n.changed.parts[w.part].changed()
		if err := n.readable(); err != nil {
			return err
		}
		if n.end.Load() > end {
			return nil
		}
		n.changed.wait(changed, ctx.Done())
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
