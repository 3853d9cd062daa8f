// Package apifuzz sends an HTTP API every kind of request that its OpenAPI
// document allows, and many that it forbids, and judges each answer by the same
// document. It promises that a run is told by its seed, and that what it
// complains of comes with the smallest request it found, as a line of curl. It
// must not know any route: it reads them.
package apifuzz

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Media types that are written and read value by value.
const (
	mediaJSON    = "application/json"
	mediaLines   = "application/x-ndjson"
	mediaProblem = "application/problem+json"
)

// Document is a description of an API in OpenAPI 3.1.
type Document struct {
	Operations []*Operation

	root     map[string]any
	compiler *jsonschema.Compiler
	problems map[string]bool // every type of problem that any operation names
}

// Operation is one method of one address.
type Operation struct {
	ID         string
	Method     string
	Path       string
	Parameters []Parameter
	Scopes     []string             // any one of them lets a key pass; none is for everybody
	Media      string               // of the body; empty where there is none
	Responses  map[string]*Response // by status

	body    map[string]any // its schema
	empty   bool           // the body may be left out
	accepts *jsonschema.Schema
	example any
}

// Parameter is a part of the path, a member of the query or a header.
type Parameter struct {
	Name     string
	In       string
	Required bool

	schema map[string]any
}

// Response is what is answered with one status.
type Response struct {
	problems map[string]bool // types of problem it may be
	schemas  map[string]*jsonschema.Schema
}

// Read reads a document in JSON.
func Read(text []byte) (*Document, error) {
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read the description: %w", err)
	}
	d := &Document{compiler: jsonschema.NewCompiler(), problems: map[string]bool{}}
	d.compiler.AssertFormat()
	d.compiler.RegisterFormat(&jsonschema.Format{Name: "date-time", Validate: dateTime})
	if err := d.compiler.AddResource(base, root); err != nil {
		return nil, fmt.Errorf("read the description: %w", err)
	}
	if err := json.Unmarshal(text, &d.root); err != nil { // numbers as float64, which is all the generator needs
		return nil, fmt.Errorf("read the description: %w", err)
	}
	paths := child(d.root, "paths")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item := child(paths, path)
		for _, method := range []string{"get", "head", "post", "put", "patch", "delete"} {
			if item[method] == nil {
				continue
			}
			op, err := d.operation(path, method, child(item, method))
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			d.Operations = append(d.Operations, op)
		}
	}
	return d, nil
}

const base = "mem:///openapi.json"

func (d *Document) operation(path, method string, from map[string]any) (*Operation, error) {
	op := &Operation{
		ID: text(from["operationId"]), Method: strings.ToUpper(method), Path: path, Scopes: scopesOf(from), Responses: map[string]*Response{},
	}
	for _, p := range list(from["parameters"]) {
		fields := d.resolve(p)
		op.Parameters = append(op.Parameters, Parameter{
			Name: text(fields["name"]), In: text(fields["in"]), Required: fields["required"] == true, schema: d.resolve(fields["schema"]),
		})
	}
	at := []string{"paths", path, method}
	if err := d.readBody(op, at, from); err != nil {
		return nil, err
	}
	for status := range child(from, "responses") {
		response, err := d.response(append(slices.Clone(at), "responses", status), child(child(from, "responses"), status))
		if err != nil {
			return nil, fmt.Errorf("response %s: %w", status, err)
		}
		op.Responses[status] = response
	}
	return op, nil
}

func (d *Document) readBody(op *Operation, at []string, from map[string]any) (err error) {
	request := d.resolve(from["requestBody"])
	content := child(request, "content")
	op.empty = request["required"] != true
	for _, media := range []string{mediaJSON, mediaLines} {
		if content[media] == nil {
			continue
		}
		op.Media, op.body, op.example = media, child(child(content, media), "schema"), child(content, media)["example"]
		op.accepts, err = d.compile(append(slices.Clone(at), "requestBody", "content", media, "schema")...)
		return err
	}
	return nil
}

func (d *Document) response(at []string, from map[string]any) (*Response, error) {
	if reference := text(from["$ref"]); reference != "" {
		at, from = pathOf(reference), d.resolve(from)
	}
	r := &Response{problems: map[string]bool{}, schemas: map[string]*jsonschema.Schema{}}
	for media, content := range child(from, "content") {
		schema, err := d.compile(append(slices.Clone(at), "content", media, "schema")...)
		if err != nil {
			return nil, err
		}
		r.schemas[media] = schema
		if media == mediaProblem {
			for slug := range child(content.(map[string]any), "examples") {
				r.problems[slug], d.problems[slug] = true, true
			}
		}
	}
	return r, nil
}

func (d *Document) compile(at ...string) (*jsonschema.Schema, error) {
	pointer := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "+", "%2B")
	parts := []string{base + "#"}
	for _, part := range at {
		parts = append(parts, pointer.Replace(part))
	}
	return d.compiler.Compile(strings.Join(parts, "/"))
}

// resolve follows references.
func (d *Document) resolve(node any) map[string]any {
	fields, _ := node.(map[string]any)
	for fields["$ref"] != nil {
		target := d.root
		for _, part := range pathOf(text(fields["$ref"])) {
			target = child(target, part)
		}
		fields = target
	}
	return fields
}

func pathOf(reference string) []string {
	return strings.Split(strings.TrimPrefix(reference, "#/"), "/")
}

func scopesOf(from map[string]any) []string {
	var scopes []string
	for _, requirement := range list(from["security"]) {
		for _, names := range requirement.(map[string]any) {
			for _, name := range list(names) {
				scopes = append(scopes, text(name))
			}
		}
	}
	return scopes
}

// known is the description of a status of an operation.
func (o *Operation) known(status int) (*Response, bool) {
	response, ok := o.Responses[strconv.Itoa(status)]
	return response, ok
}

func child(fields map[string]any, name string) map[string]any {
	inner, _ := fields[name].(map[string]any)
	return inner
}

func list(node any) []any {
	items, _ := node.([]any)
	return items
}

func text(node any) string {
	s, _ := node.(string)
	return s
}

// dateTime takes what Go takes for a time of RFC 3339: it allows an offset of
// 24 hours, which names an instant all the same.
func dateTime(v any) error {
	text, ok := v.(string)
	if !ok {
		return nil
	}
	_, err := time.Parse(time.RFC3339Nano, text)
	return err
}
