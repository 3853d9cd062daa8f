package node

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

const (
	categoryPrefix = "$ce-"
	typePrefix     = "$et-"
	deletedType    = "$deleted"
)

// indexedBy names the streams of the index that have a link to the record; empty
// is none. The rules are those of the projections by_category and
// by_event_type of EventStoreDB.
func indexedBy(r *Record) [2]string {
	stream, deletes := r.deletes()
	names := [2]string{category(stream), typePrefix + r.Type}
	switch {
	case deletes:
		names[1] = typePrefix + deletedType
	case r.Type == TypeLink:
		names[1] = ""
	}
	return names
}

// deletes returns the stream that the record deletes, for a while or for ever,
// or else its own.
func (r *Record) deletes() (stream string, yes bool) {
	of, metadata := described(r.Stream)
	if !metadata {
		return r.Stream, r.Type == TypeTombstone
	}
	if r.Type == TypeMetadata && parseLimits(r).truncateBefore == deletedBefore {
		return of, true
	}
	return r.Stream, false
}

// category is what stands before the first hyphen.
func category(stream string) string {
	i := strings.IndexByte(stream, '-')
	if i <= 0 || stream[0] == '$' {
		return ""
	}
	return categoryPrefix + stream[:i]
}

// virtual reports whether the stream is one of the index.
func (n *Node) virtual(stream string) bool {
	return n.index != nil && (strings.HasPrefix(stream, categoryPrefix) || strings.HasPrefix(stream, typePrefix))
}

// viewVirtual is what can be read of a stream of the index, with the limits
// that its metadata sets.
func (n *Node) viewVirtual(stream string, h *head) (streamView, error) {
	stored, err := n.readIndexHead(stream)
	if err != nil {
		return streamView{}, err
	}
	h.last = int64(stored.count) - 1
	return streamView{id: stored.id, low: h.lowest(), last: h.last, links: stream}, nil
}

// linkTo is the link number revision of a stream of the index.
func linkTo(stream string, revision uint64, r *Record) *Record {
	of, deletes := r.deletes()
	data := strconv.FormatUint(r.Revision, 10) + "@" + r.Stream
	meta := map[string]any{"$causedBy": r.ID.String()}
	byCategory := strings.HasPrefix(stream, categoryPrefix)
	if byCategory {
		meta["$o"] = of
	}
	if byCategory && r.Type == TypeLink {
		data = string(r.Data)
	}
	if deletes {
		meta["$deleted"] = -1
	}
	if name, ok := described(r.Stream); ok && !byCategory {
		data = strconv.FormatUint(r.Revision, 10) + "@" + name // as the original writes it
	}
	metadata, _ := json.Marshal(meta) // texts and a number
	return &Record{
		Position: r.Position, Stream: stream, Revision: revision, Type: TypeLink,
		ID:      uuid.NewSHA1(r.ID, []byte(stream)),
		Created: r.Created, Data: []byte(data), Metadata: metadata,
	}
}

// StreamEnd is how far in the log reads of the stream are complete: the end for
// ordinary streams, and for those of the index as far as that has come.
func (n *Node) StreamEnd(stream string) uint64 {
	if n.virtual(stream) {
		return n.index.end.Load()
	}
	return n.End()
}

// WaitStream returns when [Node.StreamEnd] has grown beyond end.
func (n *Node) WaitStream(ctx context.Context, stream string, end uint64) error {
	if !n.virtual(stream) {
		return n.Wait(ctx, end)
	}
	for {
		changed := n.index.changed.changed()
		if err := n.readable(); err != nil {
			return err
		}
		if n.index.end.Load() > end {
			return nil
		}
		if err := n.waitIndex(ctx, changed); err != nil {
			return err
		}
	}
}

// waitIndex ends when the node is closed, too.
func (n *Node) waitIndex(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-n.failure.done:
		return n.failure.err()
	case <-n.index.broken:
		return n.index.err
	case <-n.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Virtual reports whether the node makes the stream from its index. Nobody can
// write to it.
func (n *Node) Virtual(stream string) bool { return n.virtual(stream) }
