package transfer

import (
	"encoding/json"
	"math"
	"strconv"
)

// A renumbering is how far a stream has got whose events have other revisions
// in the target.
type renumbering struct {
	next   uint64 // revision in the target
	due    uint64 // the revision that would be next in the file
	begins uint64 // revision of the file before which its metadata hides events
	hidden uint64 // events before that
}

// target is the event's revision in the target.
func (x *importing) target(e *Event) uint64 {
	if x.plan.irregular[e.Stream] == "" {
		return e.Revision
	}
	r := x.renumbered[e.Stream]
	if r == nil {
		r = &renumbering{}
		if m := x.plan.metadata[e.Stream]; m != nil {
			r.begins, _ = truncatedBefore(m.Data)
		}
		x.renumbered[e.Stream] = r
	}
	revision := r.next
	r.next, r.due = r.next+1, e.Revision+1
	if e.Revision < r.begins {
		r.hidden = r.next
	}
	return revision
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

// renumber lets metadata hide the events in the target that it hides in the
// file: under their other revisions it would hide those that can be read.
func (r *renumbering) renumber(metadata []byte) ([]byte, error) {
	begins, fields := truncatedBefore(metadata)
	if begins == 0 || begins == deleted {
		return metadata, nil
	}
	hidden := r.hidden
	if begins > r.due { // events that are yet to come
		hidden += begins - r.due
	}
	fields[truncateBefore] = strconv.AppendUint(nil, hidden, 10)
	return json.Marshal(fields)
}
