package api

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// member is one of a merge patch (RFC 7396), which tells what is missing from
// what is null: the zero value, that is what is usual.
type member[T any] struct {
	given bool
	value T
}

// UnmarshalJSON implements [json.Unmarshaler].
func (m *member[T]) UnmarshalJSON(text []byte) error {
	m.given = true
	return json.Unmarshal(text, &m.value)
}

// Schema implements [huma.SchemaProvider].
func (m member[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// put replaces what there is, if the member was given.
func (m member[T]) put(into *T) {
	if m.given {
		*into = m.value
	}
}
