package node_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// A view is what anybody can read of a stream.
type view struct {
	refusal string
	first   uint64 // whatever the age
	last    int64
	events  []*fact // not older than $maxAge
	// Because the clock was set back, old events stand behind younger ones. A
	// reader may miss any of the events up to this revision, as in the original,
	// which searches for the first one that is young enough, and backwards ends
	// with a page that has one that is not.
	doubtful int64
}

func (m *model) view(stream string) view {
	last := m.last(stream)
	l := m.limits(stream)
	switch {
	case m.gone(stream):
		return view{refusal: deleted(stream).refusal, last: last}
	case last < 0 || l.tb == math.MaxInt64:
		return view{refusal: "not found: " + stream, last: last}
	}
	v := view{first: l.tb, last: last, doubtful: -1}
	if count := int64(l.maxCount); count > 0 && last-count+1 > int64(v.first) {
		v.first = uint64(last - count + 1)
	}
	for _, f := range m.streams[stream] {
		switch {
		case f.revision < v.first:
		case l.maxAge == 0 || f.created >= m.now-int64(l.maxAge)*10_000_000:
			v.events = append(v.events, f)
		default:
			v.doubtful = int64(f.revision)
		}
	}
	return v
}

// diff compares everything that can be read of the node with the model, and
// says the first difference.
func (m *model) diff(n *node.Node, rng *rand.Rand) error {
	if n.End() != m.next {
		return fmt.Errorf("the log ends at %d, in the model at %d", n.End(), m.next)
	}
	if err := m.diffLog(n, rng); err != nil {
		return err
	}
	for _, stream := range streamNames {
		if err := m.diffStream(n, stream, rng); err != nil {
			return fmt.Errorf("%s: %w", stream, err)
		}
	}
	return nil
}

func (m *model) diffStream(n *node.Node, stream string, rng *rand.Rand) error {
	v := m.view(stream)
	if err := m.diffInfo(n, stream, &v); err != nil {
		return err
	}
	bounds := []uint64{0, node.FromEnd, rng.Uint64N(uint64(v.last) + 3)}
	for _, from := range bounds {
		if from != node.FromEnd {
			if err := v.diffForwards(n, stream, from, 1+rng.IntN(5)); err != nil {
				return err
			}
		}
		if err := v.diffBackwards(n, stream, from, 1+rng.IntN(5)); err != nil {
			return err
		}
	}
	return nil
}

func (m *model) diffInfo(n *node.Node, stream string, v *view) error {
	got, err := n.Info(stream)
	if m.gone(stream) || err != nil {
		return sameRefusal("info", v.refusal, err)
	}
	want := node.StreamInfo{First: int64(v.first), Last: v.last, Deleted: m.softDeleted(stream)}
	if want.Last < 0 {
		want.First = -1
	} else if want.Deleted {
		want.First = got.First // of nothing
	}
	if got != want {
		return fmt.Errorf("info is %+v, in the model %+v", got, want)
	}
	return nil
}

func sameRefusal(what, want string, err error) error {
	if got := refusal(err); got != want {
		return fmt.Errorf("%s answers %q, in the model %q", what, got, want)
	}
	return nil
}

// refusal is an error in the model's words.
func refusal(err error) string {
	wrong, gone, missing := (*node.WrongExpectedError)(nil), (*node.StreamDeletedError)(nil), (*node.NotFoundError)(nil)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &wrong):
		return wrongAt(wrong.Current).refusal
	case errors.As(err, &gone):
		return deleted(gone.Stream).refusal
	case errors.As(err, &missing):
		return "not found: " + missing.Stream
	}
	return "error: " + err.Error()
}

func (v *view) diffForwards(n *node.Node, stream string, from uint64, limit int) error {
	what := fmt.Sprintf("reading from %d, %d at a time,", from, limit)
	got, err := everyPage(func(at uint64) (node.Page, error) {
		return n.ReadStream(node.StreamRead{Stream: stream, From: at, Limit: limit})
	}, from, limit)
	if v.refusal != "" || err != nil {
		return sameRefusal(what, v.refusal, err)
	}
	want := slices.DeleteFunc(v.certain(got), func(f *fact) bool { return f.revision < from })
	return diffRecords(what, want, got)
}

// certain are the events but for doubtful ones that were not found.
func (v *view) certain(found []*node.Record) []*fact {
	return slices.DeleteFunc(slices.Clone(v.events), func(f *fact) bool {
		return int64(f.revision) < v.doubtful &&
			!slices.ContainsFunc(found, func(r *node.Record) bool { return r.Revision == f.revision })
	})
}

func (v *view) diffBackwards(n *node.Node, stream string, from uint64, limit int) error {
	what := fmt.Sprintf("reading back from %d, %d at a time,", from, limit)
	got, err := everyPage(func(at uint64) (node.Page, error) {
		return n.ReadStream(node.StreamRead{Stream: stream, From: at, Limit: limit, Backwards: true})
	}, from, limit)
	if v.refusal != "" || err != nil {
		return sameRefusal(what, v.refusal, err)
	}
	want := slices.DeleteFunc(v.certain(got), func(f *fact) bool { return f.revision > from })
	slices.Reverse(want)
	return diffRecords(what, want, got)
}

// everyPage reads until the end.
func everyPage(read func(from uint64) (node.Page, error), from uint64, limit int) ([]*node.Record, error) {
	const enough = 10_000
	var list []*node.Record
	for range enough {
		p, err := read(from)
		if err != nil {
			return nil, err
		}
		if len(p.Records) > limit {
			return nil, fmt.Errorf("a page has %d records", len(p.Records))
		}
		list = append(list, p.Records...)
		if p.End {
			return list, nil
		}
		if p.Next == from {
			return nil, fmt.Errorf("a page from %d says that the next begins there", from)
		}
		from = p.Next
	}
	return nil, errors.New("reading does not end")
}

func diffRecords(what string, want []*fact, got []*node.Record) error {
	if len(want) != len(got) {
		return fmt.Errorf("%s finds %s, in the model %s", what, recordsText(got), factsText(want))
	}
	for i, f := range want {
		if !f.equal(got[i]) {
			return fmt.Errorf("%s finds %s %q at %d, in the model %s %q at %d", what,
				recordsText(got[i:i+1]), got[i].Data, got[i].Position, factsText(want[i:i+1]), f.event.Data, f.position)
		}
	}
	return nil
}

func (f *fact) equal(r *node.Record) bool {
	return (r.Position == f.position || f.position == 0) && r.Stream == f.stream && r.Revision == f.revision && r.Type == f.event.Type &&
		r.JSON == f.event.JSON && r.Created == f.created && sameData(f.event.Data, r.Data) &&
		string(r.Metadata) == string(f.event.Metadata) && r.ID != uuid.Nil && (f.event.ID == uuid.Nil || r.ID == f.event.ID)
}

// sameData takes objects for equal whose fields are.
func sameData(a, b []byte) bool {
	if string(a) == string(b) {
		return true
	}
	var x, y map[string]any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func recordsText(list []*node.Record) string {
	text := "["
	for _, r := range list {
		text += fmt.Sprintf(" %s@%d", r.Stream, r.Revision)
	}
	return text + " ]"
}

func factsText(list []*fact) string {
	text := "["
	for _, f := range list {
		text += fmt.Sprintf(" %s@%d", f.stream, f.revision)
	}
	return text + " ]"
}

// A question is a filter and what it asks.
type question struct {
	filter  *node.Filter
	matches func(f *fact) bool
}

var questions = []question{
	{nil, nil},
	{&node.Filter{By: node.ByStream, Prefixes: []string{"a", "$$"}}, func(f *fact) bool {
		return strings.HasPrefix(f.stream, "a") || strings.HasPrefix(f.stream, "$$")
	}},
	{&node.Filter{By: node.ByStream, Regex: regexp.MustCompile(`^[^\$].*`)}, func(f *fact) bool { return f.stream[0] != '$' }},
	{&node.Filter{By: node.ByType, Prefixes: []string{"$metadata"}}, func(f *fact) bool { return f.event.Type == "$metadata" }},
	{&node.Filter{By: node.ByType, Regex: regexp.MustCompile(`^\$stream`)}, func(f *fact) bool { return f.event.Type == "$streamDeleted" }},
}

// diffLog reads all of the log and pieces of it, through filters and without.
func (m *model) diffLog(n *node.Node, rng *rand.Rand) error {
	for i, q := range questions {
		from := rng.Uint64N(m.next + 100)
		if i == 0 {
			from = 0
		}
		if err := m.diffQuestion(n, q, from, 1+rng.IntN(9)); err != nil {
			return fmt.Errorf("the log, filter %d: %w", i, err)
		}
	}
	return m.diffQuestion(n, questions[0], node.FromEnd, 1+rng.IntN(9))
}

func (m *model) diffQuestion(n *node.Node, q question, from uint64, limit int) error {
	var before, after []*fact
	for _, f := range m.log {
		hidden := strings.HasPrefix(f.stream, "$persistentsubscription-$all::") &&
			(strings.HasSuffix(f.stream, "-checkpoint") || strings.HasSuffix(f.stream, "-parked"))
		switch {
		case f.empty || hidden || q.matches != nil && !q.matches(f):
		case f.position < from:
			before = append(before, f)
		default:
			after = append(after, f)
		}
	}
	slices.Reverse(before)
	for _, backwards := range []bool{false, true} {
		want := after
		if backwards {
			want = before
		}
		what := fmt.Sprintf("reading from %d, %d at a time, backwards %v,", from, limit, backwards)
		got, err := everyPage(func(at uint64) (node.Page, error) {
			return n.ReadAll(node.AllRead{From: at, Limit: limit, Backwards: backwards, Filter: q.filter})
		}, from, limit)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if err := diffRecords(what, want, got); err != nil {
			return err
		}
	}
	return m.diffLinks(n)
}

// diffLinks follows the links of a stream.
func (m *model) diffLinks(n *node.Node) error {
	page, err := n.ReadStream(node.StreamRead{Stream: linkStream, Limit: 100})
	if m.view(linkStream).refusal != "" || err != nil {
		return sameRefusal("reading links", m.view(linkStream).refusal, err)
	}
	for _, link := range page.Records {
		got, err := n.Resolve(link)
		if err != nil {
			return err
		}
		want, doubtful := m.target(link)
		if want == nil && got == nil || doubtful && got == nil {
			continue
		}
		if want == nil || got == nil || !want.equal(got) {
			return fmt.Errorf("link %s points at %v, in the model at %v", link.Data, got, want)
		}
	}
	return nil
}

func (m *model) target(link *node.Record) (target *fact, doubtful bool) {
	number, stream, _ := strings.Cut(string(link.Data), "@")
	revision, err := strconv.ParseUint(number, 10, 64)
	if err != nil || link.Type != node.TypeLink {
		return nil, false
	}
	v := m.view(stream)
	for _, f := range v.events {
		if f.revision == revision {
			return f, int64(revision) < v.doubtful
		}
	}
	return nil, false
}
