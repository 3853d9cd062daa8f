package apifuzz

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
)

// memory is what one session has learnt from answers: names of things by kind,
// entity tags by address. Newest last, so that sequences go deep with few.
type memory struct {
	names     map[string][]string
	owners    map[string]string // of a part of something, what it is a part of
	tags      map[string]string
	protected []string
}

const remembered = 12

func newMemory(protected []string) *memory {
	return &memory{names: map[string][]string{}, owners: map[string]string{}, tags: map[string]string{}, protected: protected}
}

// kindOf names the kind of thing that a member or parameter refers to: order_id
// and the id after /orders/ are both "orders".
func kindOf(name, parent string) string {
	switch {
	case name == "id" || name == "cursor" || name == "next_cursor":
		if name != "id" {
			return parent + " cursor"
		}
		return parent
	case strings.HasSuffix(name, "_id"):
		return strings.TrimSuffix(name, "_id") + "s"
	}
	return name
}

func (m *memory) add(kind, value string) {
	if value == "" || len(value) > 500 || slices.Contains(m.protected, value) {
		return
	}
	known := slices.DeleteFunc(m.names[kind], func(other string) bool { return other == value })
	m.names[kind] = append(known, value)[max(0, len(known)+1-remembered):]
}

// pick prefers what was learnt last.
func (m *memory) pick(kind string, random *rand.Rand) (string, bool) {
	known := m.names[kind]
	if len(known) == 0 {
		return "", false
	}
	back := min(random.IntN(len(known)), random.IntN(len(known)))
	return known[len(known)-1-back], true
}

// learn takes in every name of an answer's body.
func (m *memory) learn(node any, parent string) {
	switch node := node.(type) {
	case map[string]any:
		for _, name := range sortedKeys(node) {
			inner := parent
			if name != "items" {
				inner = name
			}
			switch value := node[name].(type) {
			case string:
				m.add(kindOf(name, parent), value)
			case json.Number:
			default:
				m.learn(value, inner)
			}
		}
	case []any:
		for _, item := range node {
			m.learn(item, parent)
		}
	}
}

// resource is the address of the thing that a request is about, to which its
// entity tag belongs: the path up to its first parameter.
func resource(o *Operation, path string) string {
	at := strings.Index(o.Path, "{")
	if at < 0 {
		return path
	}
	first, _, _ := strings.Cut(path[min(at, len(path)):], "/")
	return path[:min(at, len(path))] + first
}

// parentOf is the part of a path that says what kind of thing its id or its
// answer is: "orders" of /v1/orders and of /v1/orders/{id}.
func parentOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for _, part := range slices.Backward(parts) {
		if !strings.HasPrefix(part, "{") {
			return part
		}
	}
	return ""
}
