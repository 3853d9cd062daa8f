package transfer

import (
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/google/uuid"
)

const (
	metadataPrefix    = "$$"
	tombstoneRevision = 1<<63 - 1
)

// A plan is what must be known of a file before anything of it is imported.
type plan struct {
	header     *Header
	events     uint64
	carried    uint64               // events that will be imported
	left       map[string]uint64    // events that stay behind, by what they are
	metadata   map[string]*metadata // the newest of each stream
	tombstones map[string]bool
	// irregular are the streams whose revisions have gaps, and how the gap
	// looks. Their events get other revisions.
	irregular map[string]string

	cut    bool // what is before the file is not known
	prefix string
	seed   maphash.Seed
	next   map[uint64]uint64 // revision, by a sum of the stream's name
}

// metadata is the newest of a stream, at a position of the log.
type metadata struct {
	ID          uuid.UUID
	Type        string
	ContentType string
	Data, Extra []byte
}

func newPlan(prefix string) *plan {
	return &plan{
		left: map[string]uint64{}, metadata: map[string]*metadata{}, tombstones: map[string]bool{}, irregular: map[string]string{},
		prefix: prefix, seed: maphash.MakeSeed(), next: map[uint64]uint64{},
	}
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

func (p *plan) see(e *Event) {
	p.events++
	k, stream := p.kindOf(e)
	switch k {
	case carried:
		p.carried++
		p.follow(e)
	case described:
		p.metadata[stream] = &metadata{ID: e.ID, Type: e.Type, ContentType: e.ContentType, Data: e.Data, Extra: e.Metadata}
	case undescribed:
		delete(p.metadata, stream)
		p.left["other"]++
	case tombstone:
		p.tombstones[stream] = true
	case system:
		p.left["system"]++
	case other:
		p.left["other"]++
	}
}

// end is the revision after the last that the file has of a stream.
func (p *plan) end(stream string) uint64 { return p.next[maphash.String(p.seed, stream)] }

// has says whether the file has events of a stream.
func (p *plan) has(stream string) bool {
	_, has := p.next[maphash.String(p.seed, stream)]
	return has
}

// follow looks for gaps: what the source has scavenged.
func (p *plan) follow(e *Event) {
	sum := maphash.String(p.seed, e.Stream)
	want, seen := p.next[sum]
	p.next[sum] = e.Revision + 1
	if !seen && p.cut {
		return // where it goes on is for the target to say
	}
	if e.Revision != want && p.irregular[e.Stream] == "" {
		p.irregular[e.Stream] = fmt.Sprintf("revision %d comes where %d is due", e.Revision, want)
	}
}
