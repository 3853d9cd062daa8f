package transfer

import (
	"context"
	"fmt"
	"strings"
)

const (
	metadataPrefix    = "$$"
	tombstoneRevision = 1<<63 - 1
)

// A plan is what must be known of a file before anything of it is imported.
type plan struct {
	*ledger
	header  *Header
	events  uint64
	carried uint64            // events that will be imported
	left    map[string]uint64 // events that stay behind, by what they are

	// irregular counts the streams whose revisions have gaps. Their events get
	// other revisions.
	irregular      int
	example, first string // how the first gap looks of the stream that is the first by name

	cut    bool // what is before the file is not known
	prefix string
}

func newPlan(ctx context.Context, prefix string) (*plan, error) {
	l, err := newLedger(ctx)
	if err != nil {
		return nil, err
	}
	return &plan{ledger: l, left: map[string]uint64{}, prefix: prefix}, nil
}

// A kind is what becomes of an event at an import.
type kind int

const (
	carried     kind = iota // it is appended
	described               // it is metadata, of which the newest is written, whatever its type
	undescribed             // metadata is deleted for ever and says nothing any more
	tombstone               // its stream is deleted for ever
	system                  // it is the server's own and stays behind
	other                   // it is of a stream that is not wanted
)

// kindOf says which, and of which stream.
func (p *plan) kindOf(e *Event) (kind, string) {
	stream, metadata := strings.CutPrefix(e.Stream, metadataPrefix)
	switch {
	case strings.HasPrefix(stream, "$"):
		return system, stream
	case !strings.HasPrefix(stream, p.prefix):
		return other, stream
	case metadata && e.Revision == tombstoneRevision:
		return undescribed, stream
	case metadata:
		return described, stream
	case e.Revision == tombstoneRevision:
		return tombstone, stream
	}
	return carried, stream
}

func (p *plan) see(ctx context.Context, e *Event) error {
	p.events++
	k, stream := p.kindOf(e)
	switch k {
	case carried:
		p.carried++
		return p.follow(ctx, e)
	case described:
		return p.describe(ctx, stream, &metadata{ID: e.ID, Type: e.Type, ContentType: e.ContentType, Data: e.Data, Extra: e.Metadata})
	case undescribed:
		p.left["other"]++
		return p.forgetMetadata(ctx, stream)
	case tombstone:
		return p.entomb(ctx, stream)
	case system:
		p.left["system"]++
	case other:
		p.left["other"]++
	}
	return nil
}

// follow looks for gaps: what the source has scavenged.
func (p *plan) follow(ctx context.Context, e *Event) error {
	return p.change(ctx, e.Stream, func(c *course) bool {
		want, open := c.Next, !c.Met && p.cut // where it goes on then is for the target to say
		c.Met, c.Next = true, e.Revision+1
		if !open && e.Revision != want && !c.Irregular {
			c.Irregular = true
			p.note(e, want)
		}
		return true
	})
}

func (p *plan) note(e *Event, want uint64) {
	if p.irregular++; p.irregular == 1 || e.Stream < p.first {
		p.first, p.example = e.Stream, fmt.Sprintf("%s, where revision %d comes where %d is due", e.Stream, e.Revision, want)
	}
}
