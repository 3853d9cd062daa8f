package api

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"
)

// What huma says of names that nobody knows.
const (
	unknownParameter = "unknown query parameter"
	unknownMember    = "unexpected property"
)

// tellKnown says which names there are where one is unknown: it may be a slip of
// the pen.
func (s *server) tellKnown(mistakes []mistake, parameters []*huma.Param, body *huma.Schema) {
	for i := range mistakes {
		var names []string
		switch m := mistakes[i]; m.Detail {
		case unknownParameter:
			for _, p := range parameters {
				if p.In == "query" {
					names = append(names, p.Name)
				}
			}
		case unknownMember:
			object := s.schemaAt(body, jsontext.Pointer(m.Pointer).Parent())
			if object == nil {
				continue
			}
			names = slices.Collect(maps.Keys(object.Properties))
		default:
			continue
		}
		slices.Sort(names)
		if len(names) == 0 {
			mistakes[i].Detail += "; there are none here"
			continue
		}
		mistakes[i].Detail += "; known are " + strings.Join(names, ", ")
	}
}

// bodyOf is the schema of the body of JSON that an operation takes; nil is none.
func bodyOf(op *huma.Operation) *huma.Schema {
	if op.RequestBody == nil || op.RequestBody.Content["application/json"] == nil {
		return nil
	}
	return op.RequestBody.Content["application/json"].Schema
}

// schemaAt is what a schema has at a place; nil where it says nothing of it.
func (s *server) schemaAt(schema *huma.Schema, at jsontext.Pointer) *huma.Schema {
	schema = s.referred(schema)
	for name := range at.Tokens() {
		switch {
		case schema == nil:
			return nil
		case schema.Items != nil:
			schema = s.referred(schema.Items)
		default:
			schema = s.referred(schema.Properties[name])
		}
	}
	return schema
}

// referred is the schema that another one refers to, or that one itself.
func (s *server) referred(schema *huma.Schema) *huma.Schema {
	if schema == nil || schema.Ref == "" {
		return schema
	}
	return s.huma.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
}
