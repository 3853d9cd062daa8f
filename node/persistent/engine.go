// Package persistent is the persistent subscriptions of a node: groups of
// clients that share the events of a stream, or of the whole log, and say what
// became of each.
//
// It promises that an event is delivered until a client has acknowledged,
// skipped or parked it, whatever crashes in between; that a group holds no more
// in memory than its settings say; and the behaviour of EventStoreDB 24.6
// towards clients. All it knows is kept in ordinary streams.
//
// It must not know how clients are connected, nor who may do what.
package persistent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/node"
)

// Config is what groups need. Node and Now are required.
type Config struct {
	Node   *node.Node
	Logger *slog.Logger     // nil is silence
	Now    func() time.Time // tells how long a client has had a message

	MaxGroups  int // default 1,000
	MaxClients int // of all groups; default 10,000
}

// An Engine runs the groups of a node. Its methods may be called from any
// goroutine.
type Engine struct {
	cfg  Config
	ctx  context.Context //nolint:containedctx // the groups live until Close, not as long as a call
	stop context.CancelFunc

	mu     sync.RWMutex // held to write while groups come and go
	groups map[string]*group
	stored storedConfig
	broken error // why the configuration cannot be read
	closed bool

	clients atomic.Int64
}

// Open starts the groups that are stored in the node.
func Open(cfg Config) (*Engine, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	const maxGroups, maxClients = 1000, 10_000
	cfg.MaxGroups = cmp.Or(cfg.MaxGroups, maxGroups)
	cfg.MaxClients = cmp.Or(cfg.MaxClients, maxClients)
	e := &Engine{cfg: cfg, groups: map[string]*group{}}
	e.ctx, e.stop = context.WithCancel(context.Background()) //nolint:forbidigo // see the field
	if err := e.startAll(); err != nil {
		e.stopAll(false)
		e.stop()
		return nil, fmt.Errorf("start the persistent subscriptions: %w", err)
	}
	return e, nil
}

// closeLimit is how long groups may take to write what they know.
const closeLimit = 2 * time.Second

// Close drops all clients and writes a last checkpoint for each group. The node
// must be open until it returns. Whatever is asked of the engine afterwards
// answers [node.ErrClosed].
func (e *Engine) Close() {
	limit := time.AfterFunc(closeLimit, e.stop)
	defer limit.Stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.closed = true
	e.stopAll(true)
	e.stop()
}

// Restart drops all clients and starts all groups from what is stored. They
// deliver again what was done after their last checkpoint.
func (e *Engine) Restart() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return node.ErrClosed
	}
	e.stopAll(false)
	if err := e.startAll(); err != nil {
		return fmt.Errorf("restart the persistent subscriptions: %w", err)
	}
	return nil
}

func (e *Engine) stopAll(checkpoint bool) {
	var stopping sync.WaitGroup
	for _, g := range e.groups {
		stopping.Go(func() { g.stop(checkpoint) })
	}
	stopping.Wait()
	clear(e.groups)
}

func (e *Engine) startAll() error {
	err := e.loadConfig()
	if e.broken = nil; errors.Is(err, errConfig) {
		e.cfg.Logger.ErrorContext(e.ctx, "the persistent subscriptions cannot be read and do not run", "error", err)
		e.broken = err
		return nil
	}
	if err != nil {
		return err
	}
	for i := range e.stored.Entries {
		if err := e.startStored(&e.stored.Entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// startStored leaves out an entry that makes no sense, and a group whose state
// is damaged: the others are worth more.
func (e *Engine) startStored(entry *storedEntry) error {
	d, err := entry.definition()
	if err == nil && e.groups[d.key()] != nil {
		err = d.failed("it is there twice")
	}
	if err == nil {
		if err = e.start(d, entry.LiveFrom); err != nil && !errors.Is(err, node.ErrDamaged) {
			return err
		}
	}
	if err != nil {
		e.cfg.Logger.ErrorContext(e.ctx, "a persistent subscription does not run",
			"stream", entry.Stream, "group", entry.Group, "error", err)
	}
	return nil
}

func (e *Engine) start(d *Definition, liveFrom *uint64) error {
	g := newGroup(e, d, liveFrom)
	if err := g.start(); err != nil {
		return fmt.Errorf("start group %s on stream %s: %w", d.Group, d.Stream, err)
	}
	e.groups[d.key()] = g
	return nil
}

// usable says why nothing can be asked; e.mu is held.
func (e *Engine) usable(stream, group string) error {
	if e.closed {
		return node.ErrClosed
	}
	if e.broken != nil {
		return &Error{Kind: Failed, Stream: stream, Group: group, Reason: "the stored configuration is not understood: " + e.broken.Error()}
	}
	return nil
}

// find is for a caller who holds e.mu.
func (e *Engine) find(stream, name string) (*group, error) {
	if err := e.usable(stream, name); err != nil {
		return nil, err
	}
	g := e.groups[key(stream, name)]
	if g == nil || g.definition.Stream != stream {
		return nil, &Error{Kind: NotFound, Stream: stream, Group: name}
	}
	return g, nil
}

// Connect makes a client of the group, until its Close.
func (e *Engine) Connect(stream, name string, who Consumer) (*Client, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	g, err := e.find(stream, name)
	if err != nil {
		return nil, err
	}
	if e.clients.Add(1) > int64(e.cfg.MaxClients) {
		e.clients.Add(-1)
		return nil, g.error(Full)
	}
	c := newClient(g, who, func() { e.clients.Add(-1) })
	if !g.ask(func() { err = g.join(c) }) {
		err = g.error(Dropped)
	}
	if err != nil {
		c.gone()
		return nil, err
	}
	return c, nil
}

// Info is about one group. Its rates are those since the last time.
func (e *Engine) Info(stream, name string) (i Info, err error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	g, err := e.find(stream, name)
	if err == nil && !g.ask(func() { i = g.info(false) }) {
		err = g.error(NotFound)
	}
	return i, err
}

// List is about the groups of a stream, or about all groups when stream is
// empty. A stream without groups is an [Error] of kind NotFound.
func (e *Engine) List(stream string) ([]Info, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if err := e.usable(stream, ""); err != nil {
		return nil, err
	}
	list := e.infos(stream, false)
	if stream != "" && len(list) == 0 {
		return nil, &Error{Kind: NotFound, Stream: stream}
	}
	return list, nil
}

// Stats is about all groups, for somebody who looks on: the rates of Info and
// List do not notice.
func (e *Engine) Stats() []Info {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.infos("", true)
}

func (e *Engine) infos(stream string, bystander bool) []Info {
	var list []Info
	for _, g := range e.groups {
		if stream != "" && g.definition.Stream != stream {
			continue
		}
		g.ask(func() { list = append(list, g.info(bystander)) })
	}
	slices.SortFunc(list, func(a, b Info) int {
		return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Group, b.Group))
	})
	return list
}

// Replay delivers the parked messages of a group again: those before revision
// stopAt of the parked stream, or all of them.
func (e *Engine) Replay(stream, name string, stopAt *int64) error {
	if stopAt != nil && *stopAt < 0 {
		return &Error{Kind: Failed, Stream: stream, Group: name, Reason: "Cannot stop replaying parked message at a negative version."}
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	g, err := e.find(stream, name)
	if err == nil && !g.ask(func() { err = g.startReplay(stopAt) }) {
		err = g.error(NotFound)
	}
	return err
}
