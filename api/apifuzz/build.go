package apifuzz

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// build makes a request of an operation: most of them as the document wants
// them, some with one or two mistakes, a few broken altogether.
func (s *session) build(o *Operation) *request {
	r := &request{operation: o, method: o.Method, media: o.Media, path: map[string]string{}, query: url.Values{}, header: map[string]string{}}
	s.parameters(r)
	if o.Media != "" {
		r.value = s.body(o)
	}
	s.authorise(r)
	switch kind := s.random.IntN(100); {
	case kind < 60: // as it is
	case kind < 90:
		for range 1 + s.random.IntN(2) {
			s.spoil(r)
		}
	default:
		s.wreck(r)
	}
	return r
}

func (s *session) body(o *Operation) any {
	if o.Media != mediaLines {
		return s.item(o)
	}
	lines := make([]any, 1+s.random.IntN(5))
	for i := range lines {
		lines[i] = s.item(o)
	}
	return lines
}

func (s *session) item(o *Operation) any {
	if o.example != nil && s.chance(65) {
		return s.like(o.example, o.body, "", parentOf(o.Path))
	}
	return s.value(o.body, "", parentOf(o.Path), 0)
}

func (s *session) parameters(r *request) {
	for _, p := range r.operation.Parameters {
		switch p.In {
		case "path":
			r.path[p.Name] = s.pathValue(r.operation, p)
		case "query":
			if p.Required || s.chance(25) {
				r.query.Set(p.Name, fmt.Sprint(s.value(p.schema, p.Name, parentOf(r.operation.Path), 0)))
			}
		}
	}
	s.belongTogether(r)
	s.nameOwner(r)
	for _, p := range r.operation.Parameters { // those in the header may depend on the path
		if p.In == "header" {
			s.headerValue(r, p)
		}
	}
}

// belongTogether makes most parts belong to the thing that is named before them.
func (s *session) belongTogether(r *request) {
	var before string
	for _, p := range r.operation.Parameters {
		if p.In != "path" {
			continue
		}
		if owner := s.memory.owners[r.path[p.Name]]; owner != "" && before != "" && s.chance(85) {
			r.path[before] = owner
		}
		before = p.Name
	}
}

// nameOwner lets what a query has to say be, mostly, what the thing in the path
// is a part of.
func (s *session) nameOwner(r *request) {
	var owner string
	for _, p := range r.operation.Parameters {
		switch {
		case p.In == "path":
			owner = s.memory.owners[r.path[p.Name]]
		case p.In == "query" && p.Required && owner != "" && slices.Contains(typesOf(p.schema), "string") && s.chance(85):
			r.query.Set(p.Name, owner)
		}
	}
}

// parentIn is the part of the path before a parameter.
func parentIn(path, name string) string {
	before, _, _ := strings.Cut(path, "{"+name+"}")
	return parentOf(before)
}

// kindIn is the kind of thing that a part of a path names: what stands before
// it says so, or else its own name.
func (s *session) kindIn(path, name string) string {
	if parent := parentIn(path, name); len(s.memory.names[parent]) > 0 {
		return parent
	}
	return kindOf(name, parentIn(path, name))
}

// pathValue prefers a word that was given for this part of this kind of path,
// such as "dead-letters number".
func (s *session) pathValue(o *Operation, p Parameter) string {
	if words := s.words[parentIn(o.Path, p.Name)+" "+p.Name]; len(words) > 0 && s.chance(80) {
		return fmt.Sprint(pick(s.random, words))
	}
	kind := s.kindIn(o.Path, p.Name)
	if known, ok := s.memory.pick(kind, s.random); ok && s.chance(92) {
		return known
	}
	if words := s.words[p.Name]; len(words) > 0 && s.chance(80) {
		return fmt.Sprint(pick(s.random, words))
	}
	if s.chance(40) {
		return s.strangeText()
	}
	return fmt.Sprint(s.value(p.schema, p.Name, "", 0))
}

func (s *session) headerValue(r *request, p Parameter) {
	switch p.Name {
	case keyHeader:
		if s.chance(90) {
			r.header[p.Name] = s.freshKey()
		}
	case "If-Match", "If-None-Match":
		s.tag(r, p.Name)
	default:
		if p.Required || s.chance(30) {
			r.header[p.Name] = fmt.Sprint(s.value(p.schema, p.Name, "", 0))
		}
	}
}

func (s *session) freshKey() string {
	s.keys++
	return fmt.Sprintf("fuzz-%d-%d", s.seed, s.keys)
}

// tag names the entity tag that is right, an older one, any, or nonsense.
func (s *session) tag(r *request, name string) {
	right, known := s.memory.tags[resource(r.operation, r.address())]
	switch kind := s.random.IntN(100); {
	case known && kind < 70:
		r.header[name] = right
	case known && kind < 80:
		revision, _ := strconv.Atoi(strings.Trim(right, `"`)) // else 0, which is another one as well
		r.header[name] = `"` + strconv.Itoa(revision-1) + `"`
	case kind < 90:
		r.header[name] = "*"
	case kind < 95:
		r.header[name] = pick(s.random, []string{"", `"`, `"x"`, "W/\"0\"", "0", `"0", "1"`, `"99999999999999999999"`, `"-1"`, "é"})
	}
}

func (s *session) authorise(r *request) {
	good := slices.DeleteFunc(slices.Clone(s.options.Keys), func(k Key) bool { return !k.may(r.operation) })
	bad := slices.DeleteFunc(slices.Clone(s.options.Keys), func(k Key) bool { return k.may(r.operation) })
	switch kind := s.random.IntN(100); {
	case kind < 3:
	case kind < 5:
		r.wrongKey = pick(s.random, []string{"Bearer nothing", "Bearer", "Basic YTpi", "bearer wb_" + s.word(), "Bearer é", "Bearer " + strings.Repeat("k", 5_000)})
	case kind < 8 && len(bad) > 0:
		r.key = pick(s.random, bad)
	case len(good) > 0 && s.chance(50):
		r.key = pick(s.random, good)
	default:
		r.key = s.options.Keys[0]
	}
}

// spoil makes one mistake, or what may be one.
func (s *session) spoil(r *request) {
	switch kind := s.random.IntN(10); {
	case kind < 6 && r.operation.Media != "":
		r.value = s.mutate(r.value)
	case kind < 7 && len(r.path) > 0:
		name := pick(s.random, slices.Sorted(keysOf(r.path)))
		r.path[name] = s.strangeText()
	case kind < 8:
		s.spoilQuery(r)
	case len(r.header) > 0:
		name := pick(s.random, slices.Sorted(keysOf(r.header)))
		if r.header[name] = s.strangeText(); s.chance(50) {
			delete(r.header, name)
		}
	}
}

func (s *session) spoilQuery(r *request) {
	var names []string
	for _, p := range r.operation.Parameters {
		if p.In == "query" {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 || s.chance(20) {
		r.query.Set(s.word(), s.strangeText())
		return
	}
	name := pick(s.random, names)
	r.query.Set(name, s.strangeText())
	if s.chance(20) {
		r.query.Add(name, s.strangeText())
	}
}

// wreck makes a request that hardly is one of the operation.
func (s *session) wreck(r *request) {
	switch kind := s.random.IntN(20); {
	case kind < 10 && r.operation.Media != "":
		r.raw = s.brokenBody(r.body())
	case kind < 14 && r.operation.Media != "":
		r.media = pick(s.random, []string{"", "text/plain", "application/xml", "application/json; charset=latin1", "application/json; charset=utf-8", "application/cbor", "multipart/form-data; boundary=x", "*/*", "nonsense", "application/x-ndjson"})
	case kind < 15 && r.operation.Media != "":
		r.header["Content-Encoding"] = pick(s.random, []string{"gzip", "br", "identity", "x"})
	case kind < 16 && r.operation.Media != "" && s.chance(10):
		r.raw = []byte(`{"a":"` + strings.Repeat("x", s.options.Huge) + `"}`)
	case kind < 18:
		r.method, r.elsewhere = pick(s.random, []string{http.MethodPatch, http.MethodTrace, http.MethodHead, http.MethodOptions, "BREW", http.MethodDelete, http.MethodPut}), true
	default:
		r.prefix, r.elsewhere = pick(s.random, []string{"/v0", "/v1", "/nothing", "/%00", "/problems"}), true
	}
}
