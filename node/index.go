package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// index keeps the streams $ce-CATEGORY and $et-TYPE, which hold a link to every
// event of a category and of a type. They are not in the log: the index has the
// positions of the events, and the links are made when somebody reads. It
// follows the log, so it may be behind for a moment, and it needs no sync: what
// a crash takes is indexed again, with the same numbers.
type index struct {
	node    *Node
	nextID  uint64
	heads   *simplelru.LRU[string, indexHead]
	end     atomic.Uint64 // all before it is indexed
	changed signal        // end has grown
	stop    context.CancelFunc
	running sync.WaitGroup
	broken  chan struct{} // closed when the index has stopped because of err
	err     error
}

// An indexHead says how many links a stream of the index has.
type indexHead struct{ id, count uint64 }

const (
	metaIndexEnd    = "index-end"
	metaIndexNextID = "index-next-id"
)

func (n *Node) startIndex() error {
	heads, err := simplelru.NewLRU[string, indexHead](n.cfg.Streams, nil)
	if err != nil {
		return err
	}
	x := &index{node: n, heads: heads, broken: make(chan struct{})}
	x.changed.init()
	end, err := n.number(metaIndexEnd, logStart)
	if err != nil {
		return err
	}
	x.end.Store(end)
	if x.nextID, err = n.number(metaIndexNextID, 1); err != nil {
		return err
	}
	var ctx context.Context
	ctx, x.stop = context.WithCancel(context.Background()) //nolint:forbidigo // lives as long as the node
	n.index = x
	x.running.Go(func() { x.run(ctx) })
	return nil
}

func (x *index) close() {
	if x != nil {
		x.stop()
		x.running.Wait()
	}
}

func (x *index) run(ctx context.Context) {
	for {
		page, err := x.node.ReadAll(AllRead{From: x.end.Load(), Limit: pageRecords})
		if err == nil {
			err = x.add(&page)
		}
		if err == nil && page.End {
			err = x.node.Wait(ctx, page.Next)
		}
		if err == nil {
			continue
		}
		if ctx.Err() == nil && !errors.Is(err, ErrClosed) {
			x.err = fmt.Errorf("the index of categories and types has stopped: %w", err)
			close(x.broken)
			x.node.cfg.Logger.ErrorContext(ctx, "the index of categories and types stopped; it goes on when the node is started again", "error", err)
		}
		return
	}
}

// add indexes a page in one batch, so that the index is never half of it.
func (x *index) add(p *Page) error {
	if len(p.Records) > 0 {
		b := x.node.db.NewBatch()
		if err := x.fill(b, p); err != nil {
			return errors.Join(err, b.Close())
		}
		if err := b.Commit(pebble.NoSync); err != nil {
			return err
		}
		if err := x.node.failure.err(); err != nil {
			return err
		}
	}
	x.end.Store(p.Next)
	x.changed.wake()
	return nil
}

func (x *index) fill(b *pebble.Batch, p *Page) error {
	touched := make(map[string]indexHead)
	for _, r := range p.Records {
		for _, name := range indexedBy(r) {
			if name == "" {
				continue
			}
			h, err := x.head(touched, name)
			if err != nil {
				return err
			}
			if err := b.Set(linkKey(h.id, h.count), encodePosition(r.Position), nil); err != nil {
				return err
			}
			h.count++
			touched[name] = h
		}
	}
	for name, h := range touched {
		if len(name) <= mostRemembered {
			x.heads.Add(name, h)
		}
		if err := b.Set(indexKey(name), h.encode(), nil); err != nil {
			return err
		}
	}
	return errors.Join(
		b.Set(metaKey(metaIndexEnd), encodePosition(p.Next), nil),
		b.Set(metaKey(metaIndexNextID), encodePosition(x.nextID), nil),
	)
}

func (x *index) head(touched map[string]indexHead, name string) (indexHead, error) {
	if h, ok := touched[name]; ok {
		return h, nil
	}
	if h, ok := x.heads.Get(name); ok {
		return h, nil
	}
	h, err := x.node.readIndexHead(name)
	if err == nil && h.id == 0 {
		h.id = x.nextID
		x.nextID++
	}
	return h, err
}

// readIndexHead has id 0 for a stream that is not there.
func (n *Node) readIndexHead(name string) (indexHead, error) {
	value, err := n.get(indexKey(name))
	if err != nil || value == nil {
		return indexHead{}, err
	}
	return decodeIndexHead(value)
}

func (h indexHead) encode() []byte {
	return binary.BigEndian.AppendUint64(encodePosition(h.id), h.count)
}

func decodeIndexHead(b []byte) (indexHead, error) {
	if len(b) != 16 {
		return indexHead{}, fmt.Errorf("head of an index %x: %w", b, ErrDamaged)
	}
	return indexHead{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, nil
}
