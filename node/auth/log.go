package auth

import (
	"context"
	"errors"
	"math"

	"github.com/waybill-dev/waybill/node"
)

// A Log is where accounts are: the node in this process, or one that a client
// reaches.
type Log interface {
	// Append adds one event to a stream.
	Append(ctx context.Context, stream string, expected node.Expected, e node.Event) error
	// Last returns the data of a stream's newest event and its revision; no
	// data when there is none.
	Last(ctx context.Context, stream string) (data []byte, revision uint64, err error)
	// All returns the data of all events of a stream.
	All(ctx context.Context, stream string) ([][]byte, error)
}

// OfNode is the log of a node in this process.
func OfNode(n *node.Node) Log { return ofNode{n} }

type ofNode struct{ node *node.Node }

// Append implements [Log].
func (l ofNode) Append(ctx context.Context, stream string, expected node.Expected, e node.Event) error {
	_, err := l.node.Append(ctx, node.Append{Stream: stream, Expected: expected, Events: []node.Event{e}})
	return err
}

// Last implements [Log].
func (l ofNode) Last(_ context.Context, stream string) ([]byte, uint64, error) {
	r, err := lastOf(l.node, stream)
	if err != nil || r == nil {
		return nil, 0, err
	}
	return r.Data, r.Revision, nil
}

// All implements [Log].
func (l ofNode) All(_ context.Context, stream string) ([][]byte, error) {
	var all [][]byte
	for r := (node.StreamRead{Stream: stream, Limit: math.MaxInt32}); ; {
		page, err := l.node.ReadStream(r)
		if missing(err) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		for _, record := range page.Records {
			all = append(all, record.Data)
		}
		if r.From = page.Next; page.End {
			return all, nil
		}
	}
}

func lastOf(n *node.Node, stream string) (*node.Record, error) {
	page, err := n.ReadStream(node.StreamRead{Stream: stream, From: node.FromEnd, Backwards: true, Limit: 1})
	if missing(err) {
		return nil, nil
	}
	if err != nil || len(page.Records) == 0 {
		return nil, err
	}
	return page.Records[0], nil
}

// missing reports whether a read found no events, or none any more.
func missing(err error) bool {
	none, deleted := (*node.NotFoundError)(nil), (*node.StreamDeletedError)(nil)
	return errors.As(err, &none) || errors.As(err, &deleted)
}
