package apifuzz

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// maker makes values that fit a schema: from the dictionary, from what was
// learnt, from examples, or made up.
type maker struct {
	document *Document
	words    map[string][]any
	memory   *memory
	random   *rand.Rand
	now      func() time.Time
}

func (m *maker) chance(percent int) bool { return m.random.IntN(100) < percent }

func pick[T any](random *rand.Rand, of []T) T { return of[random.IntN(len(of))] }

const deepest = 6

// value makes one for a member or parameter of this name.
func (m *maker) value(schema map[string]any, name, parent string, depth int) any {
	schema = m.document.resolve(schema)
	if word, ok := m.known(name, parent); ok {
		return word
	}
	types := typesOf(schema)
	if slices.Contains(types, "string") && m.chance(70) {
		if known, ok := m.memory.pick(kindOf(name, parent), m.random); ok {
			return known
		}
	}
	if examples := list(schema["examples"]); len(examples) > 0 && m.chance(60) {
		return pick(m.random, examples)
	}
	if enum := list(schema["enum"]); len(enum) > 0 {
		return pick(m.random, enum)
	}
	switch pick(m.random, types) {
	case "object":
		return m.object(schema, cmp.Or(name, parent), depth)
	case "array":
		return m.array(schema, name, depth)
	case "integer":
		return m.integer(schema)
	case "number":
		return m.random.Float64() * 100
	case "boolean":
		return m.chance(50)
	case "null":
		return nil
	}
	return m.string(schema)
}

// known is a word of the dictionary, most of the time. One for this part of this
// kind of thing, such as "customers email", comes before one for the name.
func (m *maker) known(name, parent string) (any, bool) {
	words := m.words[parent+" "+name]
	if len(words) == 0 {
		words = m.words[name]
	}
	if len(words) == 0 || !m.chance(88) {
		return nil, false
	}
	return pick(m.random, words), true
}

func typesOf(schema map[string]any) []string {
	switch of := schema["type"].(type) {
	case string:
		return []string{of}
	case []any:
		var types []string
		for _, t := range of {
			types = append(types, text(t))
		}
		return types
	}
	if schema["properties"] != nil {
		return []string{"object"}
	}
	return []string{"string", "integer", "boolean", "null"}
}

func (m *maker) object(schema map[string]any, name string, depth int) any {
	value := map[string]any{}
	required := list(schema["required"])
	properties := child(schema, "properties")
	for _, member := range sortedKeys(properties) {
		if slices.Contains(required, any(member)) || (depth < deepest && m.chance(35)) {
			value[member] = m.value(child(properties, member), member, name, depth+1)
		}
	}
	if more := child(schema, "additionalProperties"); more != nil && m.chance(50) {
		value[m.word()] = m.value(more, "", name, depth+1)
	}
	return value
}

func (m *maker) array(schema map[string]any, name string, depth int) any {
	least, most := bound(schema, "minItems", 0), bound(schema, "maxItems", 3)
	count := max(least, min(most, m.random.IntN(4)))
	if least == 0 && count == 0 && m.chance(80) {
		count = min(1, most)
	}
	items := make([]any, count)
	for i := range items {
		items[i] = m.value(child(schema, "items"), "", name, depth+1)
	}
	return items
}

func (m *maker) integer(schema map[string]any) any {
	least, most := bound(schema, "minimum", 0), bound(schema, "maximum", 1000)
	if m.chance(60) {
		return max(least, min(most, 1+m.random.IntN(3)))
	}
	if most < least {
		return least
	}
	return least + m.random.IntN(most-least+1)
}

func bound(schema map[string]any, name string, otherwise int) int {
	if limit, ok := schema[name].(float64); ok {
		return int(max(-1<<31, min(1<<31, limit)))
	}
	return otherwise
}

func (m *maker) string(schema map[string]any) any {
	switch text(schema["format"]) {
	case "date-time":
		return m.now().Add(time.Duration(m.random.IntN(200)-100) * time.Hour).UTC().Format(time.RFC3339)
	case "uri":
		return "https://partner.example/" + m.word()
	case "email":
		return m.word() + "@example.com"
	}
	word := m.word()
	if least := bound(schema, "minLength", 0); len(word) < least {
		word += strings.Repeat("x", least-len(word))
	}
	if most := bound(schema, "maxLength", 1000); len(word) > most {
		word = word[:most]
	}
	return word
}

func (m *maker) word() string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
	word := make([]byte, 1+m.random.IntN(12))
	for i := range word {
		word[i] = letters[m.random.IntN(len(letters))]
	}
	return string(word)
}

// like makes a value after the example of the document, with some of its parts
// made anew.
func (m *maker) like(example any, schema map[string]any, name, parent string) any {
	schema = m.document.resolve(schema)
	if word, ok := m.known(name, parent); ok {
		return word
	}
	switch example := example.(type) {
	case map[string]any:
		value := map[string]any{}
		properties := child(schema, "properties")
		for _, member := range sortedKeys(example) {
			value[member] = m.like(example[member], child(properties, member), member, cmp.Or(name, parent))
		}
		for _, member := range sortedKeys(properties) {
			if _, has := value[member]; !has && m.chance(5) {
				value[member] = m.value(child(properties, member), member, cmp.Or(name, parent), 1)
			}
		}
		return value
	case []any:
		items := make([]any, 0, len(example)+1)
		for _, item := range example {
			items = append(items, m.like(item, child(schema, "items"), "", name))
		}
		if len(items) > 0 && m.chance(25) {
			items = append(items, m.like(example[0], child(schema, "items"), "", name))
		}
		return items
	}
	if m.chance(50) {
		return m.value(schema, name, parent, 1)
	}
	return example
}

func sortedKeys(fields map[string]any) []string { return slices.Sorted(maps.Keys(fields)) }
