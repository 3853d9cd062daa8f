package persistent

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

const tickInterval = time.Second

// A group is one goroutine that reads its source and gives the messages to its
// clients. All its fields but the channels are that goroutine's.
type group struct {
	definition *Definition
	liveFrom   *uint64
	source     source
	node       *node.Node
	logger     *slog.Logger
	now        func() time.Time
	ctx        context.Context //nolint:containedctx // the group lives as long as its engine, not as long as a call

	inbox  chan func()
	writes chan func()   // what came of a write
	grown  chan struct{} // the source has more
	quit   chan bool     // whether to write a last checkpoint
	done   chan struct{} // closed at the end

	next     uint64 // where to read on
	position uint64 // of the log, behind the last event read
	behind   bool   // there may be more
	failed   bool   // reading failed: wait for the next tick
	buried   bool   // the source was read to its tombstone
	dead     bool   // the source cannot be read, and never will be
	seen     int64  // the last event read or left out
	newest   int64  // the last event read
	count    int64  // events read and left out

	undone  order
	retries queue
	buffer  queue
	held    map[uuid.UUID][]*message // by clients

	clients  map[*Client]struct{}
	strategy strategy
	writing  int // writes on their way

	checkpoint checkpoint
	parking    parking
	replay     replay
	measured   measured
}

func newGroup(e *Engine, d *Definition, liveFrom *uint64) *group {
	g := &group{
		definition: d,
		liveFrom:   liveFrom,
		source:     source{node: e.cfg.Node, stream: d.Stream, filter: d.Filter, resolve: d.Settings.ResolveLinks},
		node:       e.cfg.Node,
		logger:     e.cfg.Logger.With("stream", d.Stream, "group", d.Group),
		now:        e.cfg.Now,
		ctx:        e.ctx,
		inbox:      make(chan func(), 64),
		writes:     make(chan func()),
		grown:      make(chan struct{}, 1),
		quit:       make(chan bool, 1),
		done:       make(chan struct{}),
		held:       map[uuid.UUID][]*message{},
		clients:    map[*Client]struct{}{},
		strategy:   newStrategy(d.Settings.Strategy),
		behind:     true,
		seen:       nothing,
		newest:     nothing,
	}
	g.measured.start(g.now())
	return g
}

// start reads where the group was and lets it run.
func (g *group) start() error {
	if err := g.load(); err != nil {
		return err
	}
	go g.run()
	return nil
}

// stop returns when nothing of the group runs. Its clients are dropped.
func (g *group) stop(checkpoint bool) {
	g.quit <- checkpoint
	<-g.done
}

func (g *group) run() {
	ctx, cancel := context.WithCancel(g.ctx)
	watching := make(chan struct{})
	defer close(g.done)
	defer g.survive()
	defer func() {
		cancel()
		<-watching
	}()
	from := g.node.StreamEnd(g.source.stream) // before the first read
	go func() {
		defer close(watching)
		g.source.watch(ctx, from, g.wake)
	}()
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	always := make(chan struct{})
	close(always)
	for {
		var again chan struct{}
		if g.work() {
			again = always
		}
		select {
		case <-again:
		case f := <-g.inbox:
			f()
			g.drain()
		case f := <-g.writes:
			f()
		case <-g.grown:
			g.behind = true
		case <-tick.C:
			g.tick()
		case checkpoint := <-g.quit:
			g.end(checkpoint)
			return
		}
	}
}

// survive keeps a mistake in one group from ending the node. What the group
// knows is stored: it goes on from there after a restart of the subsystem.
func (g *group) survive() {
	cause := recover()
	if cause == nil {
		return
	}
	g.logger.ErrorContext(g.ctx, "a persistent subscription panicked and stands still", "cause", cause, "stack", string(debug.Stack()))
	for c := range g.clients {
		c.drop(g.error(Dropped))
	}
}

// drain takes what waits in the inbox, so that many small acknowledgements cost
// one round.
func (g *group) drain() {
	for range cap(g.inbox) {
		select {
		case f := <-g.inbox:
			f()
		default:
			return
		}
	}
}

// wake is called by the watcher. One token stands for any number of events.
func (g *group) wake() {
	select {
	case g.grown <- struct{}{}:
	default:
	}
}

// work does a piece of what there is to do, so that a long way to go does not
// keep others waiting. It reports whether there may be more.
func (g *group) work() (more bool) {
	g.give()
	if g.fill() || g.replayMore() {
		g.give()
		more = true
	}
	g.park()
	g.finishReplay(false)
	g.mark(false)
	return more
}

func (g *group) tick() {
	g.failed = false
	g.parking.failed = false
	g.replay.failed = false
	g.checkpoint.failed = false
	g.expire()
	g.finishReplay(true)
	g.mark(true)
}

// end is the last thing a group does.
func (g *group) end(checkpoint bool) {
	g.drain() // what clients have said counts
	g.dropAll()
	for g.writing > 0 {
		(<-g.writes)()
	}
	if checkpoint {
		g.lastMark()
	}
}

// write runs in the background what takes a while, and then in the group what
// follows from it.
func (g *group) write(do func() error, then func(error)) {
	g.writing++
	go func() {
		err := do()
		select {
		case g.writes <- func() {
			g.writing--
			then(err)
		}:
		case <-g.done:
		}
	}()
}

// post hands f to the group. It does nothing when the group has ended.
func (g *group) post(f func()) {
	select {
	case g.inbox <- f:
	case <-g.done:
	}
}

// ask is post, and returns when f has run; false when it never will.
func (g *group) ask(f func()) bool {
	ran := make(chan struct{})
	g.post(func() {
		defer close(ran)
		f()
	})
	select {
	case <-ran:
		return true
	case <-g.done:
	}
	select {
	case <-ran:
		return true
	default:
		return false
	}
}

func (g *group) error(kind Kind) error {
	return &Error{Kind: kind, Stream: g.definition.Stream, Group: g.definition.Group}
}
