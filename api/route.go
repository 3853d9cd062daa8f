package api

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/waybill-dev/waybill/domain/apikey"
)

// route describes one operation.
type route struct {
	id      string
	method  string
	path    string
	tag     string
	summary string
	about   string
	scopes  []apikey.Scope // any one of them will do; none is for everybody
	status  int            // of the usual answer
	more    map[int]string // other answers that are no problem
	bodies  map[int]any    // a value of the body's type, where it depends on the status
	refuses []string       // slugs of problems beyond those of every route
	example any            // of the body
	signed  bool           // the body is read by whom it is for, byte for byte
}

// register adds a route whose handler returns plain errors: they are explained
// in one place.
func register[I, O any](s *server, r route, handle func(context.Context, *I) (*O, error)) {
	op := s.operation(r)
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.explain(ctx, err)
		}
		return out, nil
	})
	s.finish(r)
}

func (s *server) operation(r route) huma.Operation {
	op := huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Tags: []string{r.tag}, Summary: r.summary, Description: r.about,
		DefaultStatus: r.status,
		// The body was read already: one byte more than the limit is never
		// reached, and a deadline there is none any more.
		MaxBodyBytes: s.api.Config.maxBody() + 1, BodyReadTimeout: -1,
		Responses: map[string]*huma.Response{},
		Security:  []map[string][]string{},
	}
	if r.signed {
		op.SkipValidateBody = true
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}},
		}}
	}
	if len(r.scopes) > 0 {
		requirement := []string{}
		for _, scope := range r.scopes {
			requirement = append(requirement, string(scope))
		}
		op.Security = append(op.Security, map[string][]string{bearer: requirement})
	}
	for status, about := range r.more {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Description: about}
	}
	for status, body := range r.bodies {
		name := strconv.Itoa(status)
		if op.Responses[name] == nil {
			op.Responses[name] = &huma.Response{Description: http.StatusText(status)}
		}
		schema := s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(body), true, "")
		op.Responses[name].Content = map[string]*huma.MediaType{"application/json": {Schema: schema}}
	}
	return op
}

// finish describes what huma does not know of: the problems, and the example.
func (s *server) finish(r route) {
	op := s.operationAt(r.method, r.path)
	slugs := append([]string{kindInternal, kindInvalid}, r.refuses...) // a member of the query that is unknown is not valid anywhere
	if len(r.scopes) > 0 {
		slugs = append(slugs, kindUnreadable, kindUnauthorized, kindForbidden, kindUnavailable)
	}
	if op.RequestBody != nil {
		slugs = append(slugs, kindMalformed, kindTooSlow, kindTooLarge, kindMediaType)
		op.RequestBody.Content["application/json"].Example = r.example
	}
	delete(op.Responses, "default") // huma's own form of a problem
	byStatus := map[int][]string{}
	for _, slug := range slugs {
		k := s.kinds[slug]
		if k.slug == "" {
			panic("api: no kind of problem is called " + slug)
		}
		if !slices.Contains(byStatus[k.status], slug) {
			byStatus[k.status] = append(byStatus[k.status], slug)
		}
	}
	for status, slugs := range byStatus {
		op.Responses[strconv.Itoa(status)] = s.problemResponse(slugs)
	}
}

// failures are the problems of all operations that want a key, by name.
const failures = kindInternal + "-or-" + kindUnreadable

// problemResponse describes the problems of one status. One that stands alone
// is described once for all operations, and so are the failures.
func (s *server) problemResponse(slugs []string) *huma.Response {
	name := strings.Join(slugs, "-or-")
	if len(slugs) > 1 && name != failures {
		return s.describeProblems(slugs)
	}
	components := s.huma.OpenAPI().Components
	if components.Responses[name] == nil {
		components.Responses[name] = s.describeProblems(slugs)
	}
	return &huma.Response{Ref: "#/components/responses/" + name}
}

func (s *server) describeProblems(slugs []string) *huma.Response {
	examples := map[string]*huma.Example{}
	titles := make([]string, len(slugs))
	for i, slug := range slugs {
		k := s.kinds[slug]
		titles[i] = k.title + " (`" + slug + "`)"
		p := k.problem(k.about)
		p.Type = "https://shop.example/problems/" + slug
		examples[slug] = &huma.Example{Summary: k.title, Value: p}
	}
	response := &huma.Response{
		Description: strings.Join(titles, ", or "),
		Content: map[string]*huma.MediaType{"application/problem+json": {
			Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}, Examples: examples,
		}},
	}
	if slices.ContainsFunc(slugs, func(slug string) bool { return s.kinds[slug].retry > 0 }) {
		response.Headers = map[string]*huma.Param{"Retry-After": {
			Description: "Seconds after which the same request may succeed.", Schema: &huma.Schema{Type: huma.TypeInteger},
		}}
	}
	return response
}

func (s *server) operationAt(method, path string) *huma.Operation {
	item := s.huma.OpenAPI().Paths[path]
	switch method {
	case http.MethodGet:
		return item.Get
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodPatch:
		return item.Patch
	default:
		return item.Delete
	}
}

// notModified describes the answer to a caller who has the representation.
func notModified() map[int]string {
	return map[int]string{http.StatusNotModified: "The representation is the one that If-None-Match names."}
}
