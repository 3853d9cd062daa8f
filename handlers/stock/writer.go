// Package stock writes to stock items, which many checkouts want at once: for
// each item one goroutine decides whatever is waiting, one command after
// another, and appends all of it in one step. It promises nothing beyond what
// the aggregate does: the expected revision of the append is the proof that no
// unit is promised twice, also against other processes; the batches are only
// the speed, and so are the snapshots from which long items are read.
package stock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
)

// ErrBusy says that too many commands wait for one item. It is an
// [eventstore.ErrUnavailable]: nothing was done, try later.
var ErrBusy = fmt.Errorf("too many commands wait for one stock item: %w", eventstore.ErrUnavailable)

// Config says how a writer works.
type Config struct {
	// Store is where the items are. Required.
	Store eventstore.Store
	// Now tells the time. Required.
	Now func() time.Time
	// Queue is how many commands may wait for one item. 0 means 10,000.
	Queue int
	// Batch is how many commands, and how many events, are appended at once. 0
	// means 256.
	Batch int
	// BatchBytes is how much is appended at once, where it is more than one
	// command's. 0 means 512 KB.
	BatchBytes int
	// Cached is how many items are kept in memory. 0 means 10,000.
	Cached int
	// Remembered is how many reservations and references are kept in memory, of
	// all items together: where it is more, the items that nobody asked for the
	// longest are read again when somebody does. 0 means 750,000, which take
	// some 500 MB.
	Remembered int
	// Idle is for how long an item is kept that nobody asks for. 0 means 10 min.
	Idle time.Duration
	// Fresh is for how long an item is believed to be as it was last seen,
	// where nothing but a refusal depends on it. 0 means 50 ms.
	Fresh time.Duration
	// Timeout bounds each append, and the silence of the store while an item is
	// read. 0 means 5 s.
	Timeout time.Duration
	// Retain makes the store keep only the last events of a stream, as many as
	// it is told. Without it there are no snapshots.
	Retain func(ctx context.Context, stream string, count int) error
	// Every is how many events lie between two snapshots of an item: at least,
	// because there is one at a time, and one of a big item costs more. Where
	// items that are in use are forgotten for lack of room it is a sixteenth: each
	// is read again soon, from its last snapshot on. 0 means 500.
	Every int
	// OnBatch, if set, hears of every batch, and OnSnapshot of every snapshot
	// that was written, or could not be written or used. Both are called while
	// others wait, and by several goroutines.
	OnBatch    func(Batch)
	OnSnapshot func(Item, error)
}

// Item names a stock item.
type Item struct{ Location, SKU string }

// Receipt is an item after a command, and how the command got there.
type Receipt struct {
	State    stock.State
	Revision eventstore.Revision
	// Position is that of the batch's last event; 0 where nothing was appended.
	Position  eventstore.Position
	Batch     int           // commands decided together; 0 where it was refused without waiting
	Wait      time.Duration // before the command was first decided
	Conflicts int           // appends that somebody else's came before
}

// Writer handles commands for stock items. It needs no closing: its goroutines
// end when nothing waits.
type Writer struct {
	config  Config
	counts  counts
	lookups chan struct{} // has room for those under way
	crowded atomic.Int64  // when an item had to make room for another one last, Unix nanoseconds

	mu    sync.Mutex
	lanes *lru.Cache[Item, *lane]
	size  int // what the lanes remember
}

// lookups is how many callers read a whole item at once, for something that is
// forgotten.
const lookups = 4

// NewWriter returns a writer.
func NewWriter(config Config) (*Writer, error) {
	if config.Store == nil || config.Now == nil {
		return nil, errors.New("stock writer: store and clock are required")
	}
	config.Queue = cmp.Or(config.Queue, 10_000)
	config.Batch = cmp.Or(config.Batch, 256)
	config.BatchBytes = cmp.Or(config.BatchBytes, 512<<10)
	config.Cached = cmp.Or(config.Cached, 10_000)
	config.Remembered = cmp.Or(config.Remembered, 750_000)
	config.Idle = cmp.Or(config.Idle, 10*time.Minute)
	config.Fresh = cmp.Or(config.Fresh, 50*time.Millisecond)
	config.Timeout = cmp.Or(config.Timeout, 5*time.Second)
	config.Every = cmp.Or(config.Every, 500)
	w := &Writer{config: config, lookups: make(chan struct{}, lookups)}
	var err error
	if w.lanes, err = lru.NewWithEvict(config.Cached, w.forgotten); err != nil {
		return nil, fmt.Errorf("stock writer: %w", err)
	}
	return w, nil
}

// Handle lets an item decide a command. meta.CommandID is required.
//
// The error is a [domain.RuleError] when a rule refused, and otherwise a
// failure of the store: with [eventstore.ErrUnavailable] the command may or
// may not have been done, and may be repeated. A command whose context ends
// before it is decided is not done.
func (w *Writer) Handle(
	ctx context.Context, meta eventstore.Metadata, item Item, command stock.Command,
) (Receipt, error) {
	return w.handle(ctx, meta, item, command, nil)
}

// HandleAt is [Writer.Handle] for an item at a revision. It refuses with
// [handlers.ErrRevision] where that is not the present one, unless there is
// nothing to do any more.
func (w *Writer) HandleAt(
	ctx context.Context, meta eventstore.Metadata, item Item, expected eventstore.Revision, command stock.Command,
) (Receipt, error) {
	return w.handle(ctx, meta, item, command, &expected)
}

func (w *Writer) handle(
	ctx context.Context, meta eventstore.Metadata, item Item, command stock.Command, expected *eventstore.Revision,
) (Receipt, error) {
	if meta.CommandID == "" {
		return Receipt{}, fmt.Errorf("command %T to stock of %s has no id", command, item.SKU)
	}
	if receipt, refusal := w.lane(item).soldOut(command); refusal != nil {
		w.counts.refused.Add(1)
		return receipt, refusal
	}
	r := &request{ctx: ctx, meta: meta, command: command, expected: expected, since: w.config.Now()}
	for {
		err := w.ask(item, r)
		memory, forgotten := stock.Forgotten(err)
		if !forgotten {
			return r.receipt, err
		}
		if r, err = w.recall(item, r, memory); err != nil {
			return Receipt{}, fmt.Errorf("stock of %s: %w", item.SKU, err)
		}
	}
}

// ask waits for what the item decides.
func (w *Writer) ask(item Item, r *request) error {
	r.done = make(chan struct{})
	if !w.lane(item).push(r) {
		w.counts.busy.Add(1)
		return fmt.Errorf("stock of %s: %w", item.SKU, ErrBusy)
	}
	select {
	case <-r.done:
		return r.err
	case <-r.ctx.Done():
		return fmt.Errorf("stock of %s: %w", item.SKU, late(r.ctx))
	}
}

// lane returns the queue of an item. One that is forgotten while it works ends
// its work: two lanes of an item are as harmless as two processes.
func (w *Writer) lane(item Item) *lane {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l, there := w.lanes.Get(item); there {
		return l
	}
	l := newLane(w, item)
	if w.lanes.Add(item, l) {
		w.crowd()
	}
	return l
}

// forget drops an idle lane.
func (w *Writer) forget(l *lane) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if current, there := w.lanes.Peek(l.item); there && current == l && !l.busy() {
		w.lanes.Remove(l.item)
	}
}

// weigh notes how much a lane remembers, and makes room where that is too much
// with all others.
func (w *Writer) weigh(l *lane) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if current, there := w.lanes.Peek(l.item); !there || current != l {
		return // it was forgotten while it works
	}
	size := l.known.state.Size()
	w.size += size - l.weight
	l.weight = size
	for w.size > w.config.Remembered && w.lanes.Len() > 1 {
		w.lanes.RemoveOldest()
		w.crowd()
	}
}

// crowdedFor is for how long items are taken to be forgotten again and again.
const crowdedFor = time.Minute

func (w *Writer) crowd() { w.crowded.Store(w.config.Now().UnixNano()) }

// isCrowded reports whether items that are in use are forgotten for lack of room.
func (w *Writer) isCrowded() bool {
	return w.config.Now().Sub(time.Unix(0, w.crowded.Load())) < crowdedFor
}

// forgotten is told, under the lock, of every lane that is dropped.
func (w *Writer) forgotten(_ Item, l *lane) {
	w.size -= l.weight
	l.weight = 0
}

func late(ctx context.Context) error {
	return errors.Join(eventstore.ErrUnavailable, context.Cause(ctx))
}
