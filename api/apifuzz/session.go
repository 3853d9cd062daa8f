package apifuzz

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// session is a sequence of requests that follow from one seed and from the
// answers. It belongs to one goroutine.
type session struct {
	*maker

	options *Options
	seed    uint64
	memory  *memory
	keys    int
	recent  []*request // that succeeded and carry an Idempotency-Key
	trail   []trace
	weights []int
}

// trace is a request that was sent, for the story of a failure.
type trace struct {
	resource string
	line     string
}

func newSession(d *Document, o *Options, seed uint64) *session {
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test is to be repeatable, not secret
	m := newMemory(o.Protected)
	return &session{
		maker:   &maker{document: d, words: o.Words, memory: m, random: random, now: o.Now},
		options: o, seed: seed, memory: m,
	}
}

const (
	percentRepeated = 6
	percentReused   = 4
)

// next decides what is sent.
func (s *session) next() *request {
	kind := s.random.IntN(100)
	if len(s.recent) > 0 && kind < percentRepeated+percentReused {
		earlier := pick(s.random, s.recent)
		r := earlier.clone()
		if kind < percentRepeated {
			r.first = earlier.first
		} else if r.operation.Media != "" {
			r.value = s.mutate(r.value)
		}
		return r
	}
	return s.build(s.choose())
}

// choose prefers what changes something, and what concerns known things.
func (s *session) choose() *Operation {
	total := 0
	s.weights = s.weights[:0]
	for _, o := range s.document.Operations {
		total += s.weight(o)
		s.weights = append(s.weights, total)
	}
	at := s.random.IntN(total)
	return s.document.Operations[slices.IndexFunc(s.weights, func(w int) bool { return at < w })]
}

func (s *session) weight(o *Operation) int {
	weight := 10
	switch {
	case slices.Contains(s.options.Rarely, o.ID):
		return 4
	case slices.Contains(s.options.Often, o.ID):
		weight *= 5
	}
	if o.Method != http.MethodGet {
		weight += 10
	}
	for _, p := range o.Parameters {
		if p.In != "path" {
			continue
		}
		if len(s.memory.names[s.kindIn(o.Path, p.Name)]) == 0 {
			return 3
		}
		weight += 10
	}
	return weight
}

func (s *session) send(ctx context.Context, r *request) *answer {
	out, err := r.http(ctx, s.options.BaseURL)
	if err != nil {
		return &answer{err: err}
	}
	response, err := s.options.Client.Do(out)
	if err != nil {
		return &answer{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return &answer{status: response.StatusCode, header: response.Header, body: body, err: err}
}

// run sends so many requests and hands each over with its verdict.
func (s *session) run(ctx context.Context, requests int, done func(*request, *answer, *Failure)) {
	for range requests {
		if ctx.Err() != nil {
			return
		}
		r := s.next()
		a := s.send(ctx, r)
		wrong := s.document.judge(r, a)
		s.remember(r, a)
		if wrong == nil {
			done(r, a, nil)
			continue
		}
		done(r, a, s.failure(ctx, r, wrong))
	}
}

func (s *session) failure(ctx context.Context, r *request, wrong *complaint) *Failure {
	f := &Failure{At: s.options.Now(), Operation: r.operation.ID, Code: wrong.code, Session: s.seed, First: r.curl(s.options.BaseURL)}
	for _, earlier := range s.trail[:max(0, len(s.trail)-1)] {
		if earlier.resource == resource(r.operation, r.address()) {
			f.Story = append(f.Story, earlier.line)
		}
	}
	r, wrong = s.shrink(ctx, r, wrong)
	f.Text, f.Curl = wrong.text, r.curl(s.options.BaseURL)
	return f
}

// remember takes in what an answer tells.
func (s *session) remember(r *request, a *answer) {
	at := resource(r.operation, r.address())
	if location := a.header.Get("Location"); location != "" {
		at = location
		s.learnAddress(location)
	}
	if r.method != http.MethodGet {
		line := r.curl(s.options.BaseURL)
		s.trail = append(s.trail, trace{resource: at, line: fmt.Sprintf("%s # %d", line[:min(len(line), 600)], a.status)})
	}
	if a.err == nil && a.status >= http.StatusBadRequest {
		s.learnRefusal(a)
	}
	if a.err != nil || a.status >= http.StatusBadRequest {
		return
	}
	if tag := a.header.Get("ETag"); tag != "" {
		s.memory.tags[at] = tag
	}
	if a.value == nil {
		a.value, _ = jsonschema.UnmarshalJSON(bytes.NewReader(a.body)) // else there is nothing to learn
	}
	s.learnBody(r, a.value)
	final := a.status != http.StatusAccepted // or the next answer may be another one
	if final && s.madeKey(r.header[keyHeader]) && r.method != http.MethodGet && r.first == nil {
		kept := r.clone()
		kept.first = a
		s.recent = append(s.recent, kept)[max(0, len(s.recent)+1-remembered):]
	}
}

func (s *session) madeKey(key string) bool { return strings.HasPrefix(key, "fuzz-") }

// learnBody leaves out the id of what was asked for by id: an answer to
// /orders/{id}/returns that is the order has no id of a return.
func (s *session) learnBody(r *request, value any) {
	fields, _ := value.(map[string]any)
	if len(r.path) == 1 {
		s.learnOwner(r, list(fields["items"]))
	}
	for _, known := range r.path {
		if fields["id"] == known {
			s.memory.learn(value, "")
			return
		}
	}
	s.memory.learn(value, parentOf(r.operation.Path))
}

// learnOwner notes of what a list below one thing holds, such as the attempts of
// an endpoint, that it is of that.
func (s *session) learnOwner(r *request, items []any) {
	for _, owner := range r.path {
		for _, item := range items {
			fields, _ := item.(map[string]any)
			for _, name := range []string{"id", "message_id"} {
				if id := text(fields[name]); id != "" {
					s.memory.owners[id] = owner
				}
			}
		}
	}
}

// learnRefusal takes in what a refusal names, such as a checkout_id.
func (s *session) learnRefusal(a *answer) {
	fields, _ := a.value.(map[string]any)
	for _, name := range sortedKeys(fields) {
		if strings.HasSuffix(name, "_id") && name != "trace_id" {
			s.memory.add(kindOf(name, ""), text(fields[name]))
		}
	}
}

func (s *session) learnAddress(location string) {
	parts := strings.Split(strings.Trim(location, "/"), "/")
	for i := 2; i < len(parts); i += 2 {
		s.memory.add(parts[i-1], parts[i])
		if i > 2 {
			s.memory.owners[parts[i]] = parts[i-2]
		}
	}
}
