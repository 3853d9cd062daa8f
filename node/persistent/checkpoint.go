package persistent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

const (
	checkpointType = "$SubscriptionCheckpoint"
	// checkpointOldType was used by versions of EventStoreDB before 5.
	checkpointOldType = "SubscriptionCheckpoint"
)

// A checkpoint is the place in the source before which all is done.
type checkpoint struct {
	at      int64 // nothing before the first one
	count   int64 // events before it
	when    time.Time
	writing bool
	failed  bool // until the next tick
	kept    bool // the stream keeps two of them, not all
}

// load decides where to begin: behind the checkpoint, or where the group was
// told to.
func (g *group) load() error {
	g.checkpoint.at = nothing
	at, err := g.loadCheckpoint()
	if err != nil {
		return err
	}
	position := g.node.End()
	start := g.definition.Start
	switch {
	case at != nothing:
		g.checkpoint.at, g.seen, g.next = at, at, uint64(at)+1
	case start.End && g.liveFrom != nil:
		g.next = *g.liveFrom
	case start.End:
		g.next, err = g.source.end()
	default:
		g.next = uint64(start.At)
	}
	if err != nil {
		return err
	}
	if at == nothing && g.next > 0 {
		g.seen = int64(g.next) - 1
	}
	if end, err := g.source.end(); err == nil && g.next >= end {
		g.position = position
	}
	return nil
}

// end is behind everything the source has.
func (s *source) end() (uint64, error) {
	last, err := s.last()
	return uint64(last + 1), err
}

func (g *group) checkpointStream() string {
	return checkpointStream(g.definition.Stream, g.definition.Group)
}

func (g *group) loadCheckpoint() (int64, error) {
	name := g.checkpointStream()
	page, err := g.node.ReadStream(node.StreamRead{Stream: name, From: node.FromEnd, Backwards: true, Limit: 1})
	if missing := (*node.NotFoundError)(nil); errors.As(err, &missing) || err == nil && len(page.Records) == 0 {
		return nothing, nil
	}
	if deleted := (*node.StreamDeletedError)(nil); errors.As(err, &deleted) {
		g.logger.ErrorContext(g.ctx, "the checkpoints of a persistent subscription are deleted for ever: it begins anew at each start")
		return nothing, nil
	}
	if err != nil {
		return nothing, fmt.Errorf("read %s: %w", name, err)
	}
	at, err := decodeCheckpoint(&g.source, page.Records[0])
	if err != nil {
		g.logger.ErrorContext(g.ctx, "a checkpoint of a persistent subscription is not understood: it begins anew", "error", err)
		return nothing, nil
	}
	return at, nil
}

func decodeCheckpoint(s *source, r *node.Record) (int64, error) {
	if r.Type != checkpointType && r.Type != checkpointOldType {
		return nothing, fmt.Errorf("event %d of %s is no checkpoint but a %s", r.Revision, r.Stream, r.Type)
	}
	var text string
	if err := json.Unmarshal(r.Data, &text); err != nil {
		return nothing, fmt.Errorf("checkpoint %d of %s: %w", r.Revision, r.Stream, err)
	}
	at, err := s.parse(text)
	if err != nil {
		return nothing, fmt.Errorf("checkpoint %d of %s: %w", r.Revision, r.Stream, err)
	}
	return at, nil
}

// low is the place before which all is done, and how many events that is.
func (g *group) low() (at, count int64) {
	if m := g.undone.first; m != nil {
		return m.before, m.number
	}
	return g.seen, g.count
}

// mark writes a checkpoint when enough is done, or when time has come.
func (g *group) mark(byTime bool) {
	c, s := &g.checkpoint, &g.definition.Settings
	at, count := g.low()
	done := count - c.count
	if c.writing || c.failed || done <= 0 || at <= c.at || at == math.MaxInt64 {
		return
	}
	now := g.now()
	due := byTime && s.CheckpointAfter > 0 && done >= int64(s.MinCheckpoint) && now.Sub(c.when) >= s.CheckpointAfter
	if !due && done < int64(s.MaxCheckpoint) {
		return
	}
	c.writing = true
	g.write(func() error { return g.saveCheckpoint(at) }, func(err error) {
		c.writing = false
		if err != nil {
			c.failed = true
			g.troubled("write a checkpoint", err)
			return
		}
		c.at, c.count, c.when = at, count, now
	})
}

// lastMark keeps what was done since the last checkpoint from being done again
// when the node starts the next time.
func (g *group) lastMark() {
	at, count := g.low()
	if at > g.checkpoint.at && at != math.MaxInt64 && count > g.checkpoint.count {
		if err := g.saveCheckpoint(at); err != nil {
			g.troubled("write the last checkpoint", err)
		}
	}
}

// saveCheckpoint does not touch the group but for the flag that only one write
// at a time looks at.
func (g *group) saveCheckpoint(at int64) error {
	stream := g.checkpointStream()
	if !g.checkpoint.kept {
		if err := describe(g.ctx, g.node, stream, checkpointMetadata); err != nil {
			return err
		}
		g.checkpoint.kept = true
	}
	data, err := json.Marshal(g.source.text(at))
	if err != nil {
		return err
	}
	_, err = g.node.Append(g.ctx, node.Append{Stream: stream, Expected: node.ExpectAny, Events: []node.Event{
		{ID: uuid.New(), Type: checkpointType, JSON: true, Data: data},
	}})
	return err
}

// The metadata of a group's streams is that of EventStoreDB: of checkpoints and
// settings only the last event matters, and whatever the defaults of system
// streams are, a group's own are for administrators.
const (
	configMetadata     = `{"$maxCount":2}`
	checkpointMetadata = `{"$maxCount":2,"$acl":{"$r":"$admins","$w":"$admins","$d":"$admins","$mr":"$all","$mw":"$admins"}}`
	parkedMetadataFrom = `{"$tb":%d,"$acl":{"$r":"$admins","$w":"$admins","$d":"$admins","$mr":"$admins","$mw":"$admins"}}`
)

// describe limits a stream, unless somebody has limited it before.
func describe(ctx context.Context, n *node.Node, stream, wanted string) error {
	const limit = `"$maxCount":2`
	metadata := node.MetadataStream(stream)
	page, err := n.ReadStream(node.StreamRead{Stream: metadata, From: node.FromEnd, Backwards: true, Limit: 1})
	if missing := (*node.NotFoundError)(nil); err != nil && !errors.As(err, &missing) {
		return err
	}
	if len(page.Records) > 0 && bytes.Contains(page.Records[0].Data, []byte(limit)) {
		return nil
	}
	return writeMetadata(ctx, n, stream, wanted)
}

func writeMetadata(ctx context.Context, n *node.Node, stream, data string) error {
	_, err := n.Append(ctx, node.Append{
		Stream: node.MetadataStream(stream), Expected: node.ExpectAny,
		Events: []node.Event{{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: []byte(data)}},
	})
	return err
}

func (g *group) troubled(doing string, err error) {
	if errors.Is(err, node.ErrClosed) {
		return
	}
	g.logger.ErrorContext(g.ctx, "a persistent subscription has trouble and tries again", "doing", doing, "error", err)
}
