package persistent_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/persistent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is a node with its groups, in a time that passes when all wait.
type world struct {
	*testing.T
	fs     *vfs.MemFS
	node   *node.Node
	engine *persistent.Engine
	config persistent.Config
	made   int // events
}

// inWorld runs the test in a time of its own.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, fs: vfs.NewCrashableMem()}
		w.open()
		defer func() { w.close() }()
		test(w)
	})
}

func (w *world) open() {
	w.Helper()
	var err error
	w.node, err = node.Open(node.Config{
		Dir: "data", FS: w.fs, Now: time.Now, Index: true,
		CacheBytes: 1 << 20, MemTableBytes: 256 << 10, TailBytes: 256 << 10,
	})
	if err != nil {
		w.Fatal(err)
	}
	cfg := w.config
	cfg.Node, cfg.Logger = w.node, slog.New(alarm{w.T})
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if w.engine, err = persistent.Open(cfg); err != nil {
		w.Fatal(err)
	}
}

func (w *world) close() {
	w.Helper()
	w.engine.Close()
	if err := w.node.Close(); err != nil {
		w.Error(err)
	}
}

// alarm fails the test when a group panics.
type alarm struct{ t *testing.T }

func (alarm) Enabled(context.Context, slog.Level) bool { return true }
func (a alarm) WithAttrs([]slog.Attr) slog.Handler     { return a }
func (a alarm) WithGroup(string) slog.Handler          { return a }

func (a alarm) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "panicked") {
		r.Attrs(func(attr slog.Attr) bool {
			a.t.Errorf("%s: %s", attr.Key, attr.Value)
			return true
		})
	}
	return nil
}

// crash goes on with what was on the disk.
func (w *world) crash() {
	w.Helper()
	clone := w.fs.CrashClone(vfs.CrashCloneCfg{})
	w.close()
	w.fs = clone
	w.open()
}

// append stores an event for each letter, whose type is the letter.
func (w *world) append(stream, letters string) node.Appended {
	w.Helper()
	a := node.Append{Stream: stream, Expected: node.ExpectAny}
	for _, l := range letters {
		a.Events = append(a.Events, node.Event{ID: w.id(), Type: string(l), Data: []byte("{}"), JSON: true})
	}
	return w.store(a)
}

func (w *world) store(a node.Append) node.Appended {
	w.Helper()
	done, err := w.node.Append(context.Background(), a)
	if err != nil {
		w.Fatal(err)
	}
	return done
}

// defaults are those of the official client.
func defaults(change ...func(*persistent.Settings)) persistent.Settings {
	s := persistent.Settings{
		MaxRetries: 10, MinCheckpoint: 10, MaxCheckpoint: 1000, LiveBuffer: 500, ReadBatch: 20, HistoryBuffer: 500,
		MessageTimeout: 30 * time.Second, CheckpointAfter: 2 * time.Second, Strategy: persistent.RoundRobin,
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

// eager writes a checkpoint after each message that is done.
func eager(s *persistent.Settings) { s.MinCheckpoint, s.MaxCheckpoint = 1, 1 }

// create makes the group g of the stream, from the start.
func (w *world) create(stream string, change ...func(*persistent.Settings)) {
	w.Helper()
	w.define(persistent.Definition{Stream: stream, Group: "g", Settings: defaults(change...)})
}

func (w *world) define(d persistent.Definition) {
	w.Helper()
	if err := w.engine.Create(d); err != nil {
		w.Fatal(err)
	}
}

func (w *world) info(stream string) persistent.Info {
	w.Helper()
	synctest.Wait()
	i, err := w.engine.Info(stream, "g")
	if err != nil {
		w.Fatal(err)
	}
	return i
}

// checkpoint is that of the group as it is stored.
func (w *world) checkpoint(stream string) string {
	w.Helper()
	return w.lastOf("$persistentsubscription-" + stream + "::g-checkpoint")
}

func (w *world) lastOf(stream string) string {
	w.Helper()
	p, err := w.node.ReadStream(node.StreamRead{Stream: stream, From: node.FromEnd, Backwards: true, Limit: 1})
	if missing := (*node.NotFoundError)(nil); errors.As(err, &missing) {
		return ""
	}
	if err != nil || len(p.Records) == 0 {
		w.Fatalf("read the last event of %s: %v", stream, err)
	}
	return string(p.Records[0].Data)
}

// parked is what the parked stream links to.
func (w *world) parked(stream string) []*node.Record {
	w.Helper()
	p, err := w.node.ReadStream(node.StreamRead{Stream: "$persistentsubscription-" + stream + "::g-parked", Limit: 1000})
	if missing := (*node.NotFoundError)(nil); err != nil && !errors.As(err, &missing) {
		w.Fatal(err)
	}
	return p.Records
}

// A member is a client of a group that remembers what it has.
type member struct {
	w      *world
	client *persistent.Client
	has    map[string]uuid.UUID // by letter
}

func (w *world) join(stream string, buffer int) *member {
	w.Helper()
	c, err := w.engine.Connect(stream, "g", persistent.Consumer{Buffer: buffer})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(c.Close)
	return &member{w: w, client: c, has: map[string]uuid.UUID{}}
}

// got is what there is to get at the moment: letters, each with its retries
// behind it.
func (m *member) got() string {
	m.w.Helper()
	synctest.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var b strings.Builder
	for {
		d, err := m.client.Next(ctx)
		if errors.Is(err, context.Canceled) {
			return b.String()
		}
		if err != nil {
			return cmp.Or(b.String()+" ", "") + err.Error()
		}
		original := d.Event
		if d.Link != nil {
			original = d.Link
		}
		letter := original.Type
		if d.Event != nil {
			letter = d.Event.Type
		}
		m.has[letter] = original.ID
		b.WriteString(letter)
		if d.Retries > 0 {
			fmt.Fprint(&b, d.Retries)
		}
	}
}

func (m *member) wants(letters string) {
	m.w.Helper()
	if got := m.got(); got != letters {
		m.w.Fatalf("the client got %q, want %q", got, letters)
	}
}

func (m *member) ids(letters string) []uuid.UUID {
	m.w.Helper()
	var ids []uuid.UUID
	for _, l := range letters {
		id, ok := m.has[string(l)]
		if !ok {
			m.w.Fatalf("the client never got %q", l)
		}
		ids = append(ids, id)
	}
	return ids
}

func (m *member) ack(letters string) {
	m.w.Helper()
	m.client.Ack(m.ids(letters)...)
	synctest.Wait()
}

func (m *member) nack(a persistent.Action, letters string) {
	m.w.Helper()
	m.client.Nack(a, "because", m.ids(letters)...)
	synctest.Wait()
}

func (m *member) wantsDropped() {
	m.w.Helper()
	synctest.Wait()
	_, err := m.client.Next(context.Background())
	if e := (*persistent.Error)(nil); !errors.As(err, &e) || e.Kind != persistent.Dropped {
		m.w.Fatalf("the client got %v, want that it was dropped", err)
	}
}

func kind(err error) persistent.Kind {
	if e, ok := errors.AsType[*persistent.Error](err); ok {
		return e.Kind
	}
	return 0
}

// pass lets time go by, and everything that then happens happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// id is one that no other event has.
func (w *world) id() uuid.UUID {
	w.made++
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, w.made))
}
