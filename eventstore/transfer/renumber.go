package transfer

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
)

// target is the event's revision in the target.
func (x *importing) target(ctx context.Context, e *Event) (revision uint64, err error) {
	if x.plan.irregular == 0 {
		return e.Revision, nil
	}
	c, err := x.plan.of(ctx, e.Stream)
	if err != nil || !c.Irregular {
		return e.Revision, err
	}
	var begins uint64
	if !c.Begun {
		if begins, err = x.begins(ctx, e.Stream); err != nil {
			return 0, err
		}
	}
	err = x.plan.change(ctx, e.Stream, func(c *course) bool {
		revision = c.renumber(e.Revision, begins)
		return true
	})
	return revision, err
}

// begins is where the metadata that the file has of a stream lets it begin.
func (x *importing) begins(ctx context.Context, stream string) (uint64, error) {
	m, err := x.plan.metadata(ctx, stream)
	if err != nil || m == nil {
		return 0, err
	}
	begins, _ := truncatedBefore(m.Data)
	return begins, nil
}

// renumber answers the revision in the target of the next event of the file. It
// is told at the first one where the stream begins.
func (c *course) renumber(revision, begins uint64) uint64 {
	if !c.Begun {
		c.Begun, c.Begins = true, begins
	}
	next := c.Sent
	c.Sent, c.Due = next+1, revision+1
	if revision < c.Begins {
		c.Hidden = c.Sent
	}
	return next
}

// truncatedBefore is where metadata lets a stream begin.
func truncatedBefore(metadata []byte) (revision uint64, fields map[string]json.RawMessage) {
	if json.Unmarshal(metadata, &fields) != nil {
		return 0, nil
	}
	n, err := strconv.ParseInt(string(fields[truncateBefore]), 10, 64)
	if err != nil || n < 0 {
		return 0, nil
	}
	return uint64(n), fields
}

const (
	truncateBefore = "$tb"
	deleted        = math.MaxInt64 // as truncateBefore
)

// hide lets metadata hide the events in the target that it hides in the
// file: under their other revisions it would hide those that can be read.
func (c *course) hide(metadata []byte) ([]byte, error) {
	begins, fields := truncatedBefore(metadata)
	if begins == 0 || begins == deleted {
		return metadata, nil
	}
	hidden := c.Hidden
	if begins > c.Due { // events that are yet to come
		hidden += begins - c.Due
	}
	fields[truncateBefore] = strconv.AppendUint(nil, hidden, 10)
	return json.Marshal(fields)
}
