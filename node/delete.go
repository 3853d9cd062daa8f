package node

import (
	"context"
	"math"

	"github.com/google/uuid"
)

// A kind is what a request asks of the writer.
type kind int

const (
	kindAppend kind = iota
	kindDelete
	kindTombstone
)

// tombstoneRevision is that of the last event of a stream that is deleted for
// ever.
const tombstoneRevision = math.MaxInt64

// Delete empties the stream: it is not found until it is written again, and
// goes on with the revision it had. Its metadata is lost. A stream that was
// never written, and has no metadata, is a [WrongExpectedError] even for
// [ExpectAny]. One whose metadata stream has a tombstone cannot be deleted but
// by a tombstone of its own: that is a [StreamDeletedError].
func (n *Node) Delete(ctx context.Context, stream string, expected Expected) (Appended, error) {
	return n.remove(ctx, kindDelete, stream, expected)
}

// Tombstone deletes the stream for ever, whether or not it was ever written:
// whatever is asked of it afterwards is a [StreamDeletedError].
func (n *Node) Tombstone(ctx context.Context, stream string, expected Expected) (Appended, error) {
	return n.remove(ctx, kindTombstone, stream, expected)
}

func (n *Node) remove(ctx context.Context, k kind, stream string, expected Expected) (Appended, error) {
	req, err := n.removal(k, stream, expected)
	if err != nil {
		return Appended{}, err
	}
	return n.submit(ctx, req)
}

func (n *Node) removal(k kind, stream string, expected Expected) (*request, error) {
	a := Append{Stream: stream, Expected: expected}
	if err := n.validate(&a); err != nil {
		return nil, err
	}
	// The rules look at the ids of what is to be written: this one is new.
	a.Events = []Event{{ID: uuid.New(), Type: TypeTombstone}}
	if k == kindDelete {
		a.Events[0] = Event{ID: a.Events[0].ID, Type: TypeMetadata, JSON: true, Data: deletedMetadata()}
	}
	return &request{Append: a, kind: k}, nil
}

// delete writes the metadata that hides all there is.
func (g *group) delete(h *head, a *Append) (Appended, error) {
	metadata, err := g.head(MetadataStream(a.Stream))
	switch {
	case err != nil:
		return Appended{}, err
	case metadata.tombstoned:
		return Appended{}, &StreamDeletedError{Stream: MetadataStream(a.Stream)}
	case h.last < 0 && metadata.last < 0:
		return Appended{}, &WrongExpectedError{Stream: a.Stream, Expected: a.Expected, Current: -1}
	}
	done := g.append(metadata, &Append{Stream: MetadataStream(a.Stream), Events: a.Events})
	g.describe(a.Stream, h, metadata)
	return Appended{Revision: h.last, Position: done.Position}, nil
}

// tombstone writes the last event the stream will ever have.
func (g *group) tombstone(h *head, a *Append) (Appended, error) {
	of, describes := described(a.Stream)
	var other *head
	if describes {
		var err error
		if other, err = g.head(of); err != nil {
			return Appended{}, err
		}
	}
	g.touch(a.Stream, h)
	e := &a.Events[0]
	r := &Record{
		Stream: a.Stream, Revision: tombstoneRevision, ID: e.ID, Type: e.Type,
		Created: g.created, streamID: h.id, flags: flagFirst | flagLast,
	}
	g.place(r)
	g.pending[streamRevision{h.id, r.Revision}] = r
	h.tombstoned, h.lastPosition, h.changed = true, r.Position, r.Position
	// Metadata that is deleted says nothing any more.
	if describes && other.limits != (limits{}) {
		g.touch(of, other)
		other.limits, other.changed = limits{}, r.Position
	}
	return Appended{Revision: h.last, Position: r.Position}, nil
}
