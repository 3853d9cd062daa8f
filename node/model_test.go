package node_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// A model is an event store as simple as it can be: it is written from the
// rules alone, keeps every record in one list and derives all the rest from
// that, each time anew.
type model struct {
	log        []*fact
	streams    map[string][]*fact
	tombstones map[string]bool
	next       uint64 // position
	now        int64  // ticks
	loose      bool   // there are others in the log: positions are not known
}

// A fact is a record as the model knows it.
type fact struct {
	stream   string
	revision uint64
	event    node.Event // without an id when the node chooses it
	created  int64
	position uint64
	empty    bool
	meaning  meaning
}

// A result is what became of a request.
type result struct {
	refusal  string // empty when it was granted
	revision int64
	position uint64
}

func (r result) String() string {
	if r.refusal != "" {
		return r.refusal
	}
	return fmt.Sprintf("revision %d, position %d", r.revision, r.position)
}

func wrongAt(last int64) result { return result{refusal: fmt.Sprintf("wrong, is at %d", last)} }

func deleted(stream string) result { return result{refusal: "deleted: " + stream} }

func newModel() *model {
	return &model{streams: map[string][]*fact{}, tombstones: map[string]bool{}, next: 1}
}

// clone shares the facts, which nobody changes.
func (m *model) clone() *model {
	c := *m
	c.log = slices.Clip(m.log)
	c.tombstones = maps.Clone(m.tombstones)
	c.streams = make(map[string][]*fact, len(m.streams))
	for stream, list := range m.streams {
		c.streams[stream] = slices.Clip(list)
	}
	return &c
}

func (m *model) last(stream string) int64 { return int64(len(m.streams[stream])) - 1 }

// gone reports whether the stream is deleted for ever: its metadata goes with
// it.
func (m *model) gone(stream string) bool {
	of, ok := strings.CutPrefix(stream, "$$")
	return m.tombstones[stream] || ok && m.gone(of)
}

// limits are what counts of the stream's newest metadata.
func (m *model) limits(stream string) limit {
	if strings.HasPrefix(stream, "$$") {
		return limit{maxCount: 1}
	}
	list := m.streams["$$"+stream]
	if len(list) == 0 || m.gone("$$"+stream) {
		return limit{}
	}
	newest := list[len(list)-1]
	return newest.meaning.limits(newest.event.JSON)
}

func (m *model) softDeleted(stream string) bool { return m.limits(stream).tb == math.MaxInt64 }

// described reports whether the stream ever had metadata.
func (m *model) described(stream string) bool {
	return len(m.streams["$$"+stream]) > 0 || m.tombstones["$$"+stream]
}

// append follows rules 1 to 13 in their order.
func (m *model) append(stream string, expected node.Expected, events []node.Event) result {
	if r, write := m.check(stream, expected, events); !write {
		return r
	}
	if len(events) == 0 {
		return m.nothing(stream)
	}
	from := uint64(len(m.streams[stream]))
	wasDeleted := m.softDeleted(stream)
	of, metadata := strings.CutPrefix(stream, "$$")
	ofWasDeleted := metadata && m.softDeleted(of)
	for _, e := range events {
		m.add(stream, e, meaningOf(e.Data))
	}
	done := m.done(stream)
	if wasDeleted {
		m.undelete(stream, from)
	}
	if ofWasDeleted {
		m.undelete(of, uint64(len(m.streams[of])))
	}
	return done
}

// nothing is an append without events: it takes a position and makes no stream.
func (m *model) nothing(stream string) result {
	f := &fact{stream: stream, position: m.next, empty: true, created: m.now}
	m.log = append(m.log, f)
	m.next += f.size()
	done := result{revision: m.last(stream), position: f.position}
	if m.softDeleted(stream) {
		m.undelete(stream, uint64(len(m.streams[stream])))
	}
	return done
}

func (m *model) add(stream string, e node.Event, means meaning) {
	f := &fact{
		stream: stream, revision: uint64(len(m.streams[stream])), event: e,
		created: m.now, position: m.next, meaning: means,
	}
	if m.loose {
		f.position = 0
	}
	m.log = append(m.log, f)
	m.streams[stream] = append(m.streams[stream], f)
	m.next += f.size()
}

func (m *model) done(stream string) result {
	return result{revision: m.last(stream), position: m.log[len(m.log)-1].position}
}

// size is how far the next position is: the size of the record in the log of
// the original.
func (f *fact) size() uint64 {
	prefixed := func(s string) int {
		if len(s) > 127 {
			return len(s) + 2
		}
		return len(s) + 1
	}
	return uint64(40 + prefixed(f.stream) + 32 + 8 + prefixed(f.event.Type) + 4 + len(f.event.Data) + 4 + len(f.event.Metadata))
}

// undelete writes the metadata again with another beginning of the stream.
func (m *model) undelete(stream string, from uint64) {
	list := m.streams["$$"+stream]
	again, ok := list[len(list)-1].meaning.from(from)
	if !ok {
		return
	}
	m.add("$$"+stream, node.Event{Type: "$metadata", JSON: true, Data: []byte(again.text())}, again)
}

func (m *model) delete(stream string, expected node.Expected) result {
	if r, write := m.check(stream, expected, []node.Event{{}}); !write {
		return r
	}
	if m.gone("$$" + stream) {
		return deleted("$$" + stream)
	}
	if m.last(stream) < 0 && !m.described(stream) {
		return wrongAt(-1)
	}
	means := meaning{fields: map[string]any{"$tb": json.Number("9223372036854775807")}, object: true}
	m.add("$$"+stream, node.Event{Type: "$metadata", JSON: true, Data: []byte(means.text())}, means)
	return result{revision: m.last(stream), position: m.log[len(m.log)-1].position}
}

func (m *model) tombstone(stream string, expected node.Expected) result {
	if r, write := m.check(stream, expected, []node.Event{{}}); !write {
		return r
	}
	f := &fact{stream: stream, revision: math.MaxInt64, event: node.Event{Type: "$streamDeleted"}, created: m.now, position: m.next}
	m.log = append(m.log, f)
	m.next += f.size()
	m.tombstones[stream] = true
	return result{revision: m.last(stream), position: f.position}
}

// check is the table of expected revisions: what it answers, or that the
// request is to be written. The numbers are those of the rules.
func (m *model) check(stream string, expected node.Expected, events []node.Event) (r result, write bool) {
	cur := m.last(stream)
	if m.gone(stream) { // 1
		return deleted(stream), false
	}
	if expected == node.ExpectExists {
		if m.softDeleted(stream) { // 2
			return deleted(stream), false
		}
		if cur == -1 && !m.described(stream) { // 3
			return wrongAt(cur), false
		}
	}
	if expected == node.ExpectAny || expected == node.ExpectExists {
		return m.checkLoose(stream, events)
	}
	exp := int64(expected)
	switch {
	case exp > cur: // 12
		return wrongAt(cur), false
	case exp == cur: // 13
		return result{}, true
	case len(events) == 0: // 11
		return wrongAt(cur), false
	}
	for i, e := range events {
		at := exp + 1 + int64(i)
		if at <= cur && m.streams[stream][at].is(e.ID) { // 8
			continue
		}
		if i == 0 && expected == node.ExpectNoStream && m.softDeleted(stream) { // 9
			return result{}, true
		}
		return wrongAt(cur), false // 9, 10
	}
	end := m.streams[stream][exp+int64(len(events))]
	return result{revision: int64(end.revision), position: end.position}, false
}

func (m *model) checkLoose(stream string, events []node.Event) (r result, write bool) {
	var end *fact
	for i, e := range events {
		known := m.newest(stream, e.ID)
		if known == nil && i == 0 { // 5
			return result{}, true
		}
		if known == nil { // 6
			return wrongAt(m.last(stream)), false
		}
		end = known
	}
	if end == nil { // 4
		return result{}, true
	}
	return result{revision: int64(end.revision), position: end.position}, false // 7
}

func (m *model) newest(stream string, id uuid.UUID) *fact {
	for _, f := range slices.Backward(m.streams[stream]) {
		if f.is(id) {
			return f
		}
	}
	return nil
}

func (f *fact) is(id uuid.UUID) bool { return f.event.ID == id && id != uuid.Nil }
