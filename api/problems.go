package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/eventstore"
	checkouts "github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/projections"
	"github.com/waybill-dev/waybill/vault"
)

// explain is the only place where an error becomes a status. What it does not
// know is an internal error: the caller is told nothing of it, the log all.
func (s *server) explain(ctx context.Context, err error) *Problem {
	var problem *Problem
	var rule *domain.RuleError
	switch {
	case errors.As(err, &problem):
		return s.placed(ctx, problem)
	case errors.As(err, &rule):
		return s.placed(ctx, s.refusal(rule))
	case errors.Is(err, checkouts.ErrGatewayAway):
		return s.problem(ctx, kindGatewayAway, "the payment gateway does not answer")
	case errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, database.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		s.logger.DebugContext(ctx, "request could not be served", "method", callOf(ctx).request.Method, "path", callOf(ctx).request.URL.Path, "error", err)
		return s.problem(ctx, kindUnavailable, "what the request needs did not answer in time")
	case errors.Is(err, eventstore.ErrTooLarge):
		return s.problem(ctx, kindTooLarge, "the request holds more than can be stored in one piece: send less text or fewer lines")
	case errors.Is(err, vault.ErrErased):
		return s.placed(ctx, s.refusal(customer.ErrErased))
	case errors.Is(err, vault.ErrRetired):
		return s.placed(ctx, s.refusal(customer.ErrErasing))
	case errors.Is(err, projections.ErrNotFound):
		return s.problem(ctx, kindNotFound, "there is nothing of that name")
	case errors.Is(err, eventstore.ErrConflict):
		return s.problem(ctx, kindConflict, "others kept changing the same thing")
	}
	if event, is := errors.AsType[*eventstore.UnreadableError](err); is {
		return s.unreadableHistory(ctx, event)
	}
	s.logger.ErrorContext(ctx, "request failed", "method", callOf(ctx).request.Method, "path", callOf(ctx).request.URL.Path, "error", err)
	return s.problem(ctx, kindInternal, "the request could not be finished")
}

// unreadableHistory names the event, for whoever has to do something about it.
func (s *server) unreadableHistory(ctx context.Context, event *eventstore.UnreadableError) *Problem {
	s.logger.ErrorContext(ctx, "an event cannot be read", "stream", event.Stream, "revision", int64(event.Revision), "type", event.Type,
		"path", callOf(ctx).request.URL.Path, "error", event.Err)
	reason := "damaged"
	switch {
	case errors.Is(event, eventstore.ErrUnknownType):
		reason = "unknown-type"
	case errors.Is(event, eventstore.ErrNewerSchema):
		reason = "newer-schema"
	}
	return s.problem(ctx, kindUnreadable, "an event of its history cannot be read by this version of the program").
		with("stream", event.Stream).with("revision", int64(event.Revision)).with("event_type", event.Type).with("reason", reason)
}

// refusal is what a rule said. A rule that has no kind of its own keeps its
// code in a member.
func (s *server) refusal(rule *domain.RuleError) *Problem {
	k, known := s.kinds[rule.Code]
	if !known {
		k = s.kinds[kindRefused]
	}
	problem := k.problem(rule.Message).because(rule.Mistakes...)
	for name, value := range rule.Details {
		problem.with(name, value)
	}
	if !known {
		problem.with("rule", rule.Code)
	}
	return problem
}

func (k kind) problem(detail string) *Problem {
	return &Problem{slug: k.slug, Title: k.title, Status: k.status, Detail: detail, RetryAfter: k.retry}
}

// refuse is the refusal of a kind that is declared here.
func (s *server) refuse(slug, detail string) *Problem {
	k, known := s.kinds[slug]
	if !known {
		panic("api: no kind of problem is called " + slug)
	}
	return k.problem(detail)
}

func (s *server) problem(ctx context.Context, slug, detail string) *Problem {
	return s.placed(ctx, s.refuse(slug, detail))
}

// placed says where the problem occurred.
func (s *server) placed(ctx context.Context, p *Problem) *Problem {
	r := callOf(ctx).request
	placed := *p
	placed.Type = s.baseURL(r) + "/problems/" + p.slug
	placed.Instance = r.URL.EscapedPath()
	if s.api.TraceID != nil {
		placed.TraceID = s.api.TraceID(ctx)
	}
	return &placed
}

// baseURL is how the caller reached us, unless the settings know better.
func (s *server) baseURL(r *http.Request) string {
	if s.api.Config.BaseURL != "" {
		return strings.TrimSuffix(s.api.Config.BaseURL, "/")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// mostMistakes bounds how many unknown members an answer lists; the mistakes of
// a cart or a delivery are bounded by its lines.
const mostMistakes = 1_000

// reshape gives the mistakes that huma finds the same form as all others.
func (s *server) reshape(ctx huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	problem := s.problem(ctx.Context(), slugOf(model), detailOf(model))
	if problem.Status != model.Status { // the status is about to be sent
		problem.Status, problem.Title = model.Status, http.StatusText(model.Status)
	}
	if problem.slug == kindTooLarge {
		problem.with("limit", s.api.Config.maxBody())
	}
	if model.Status == http.StatusUnprocessableEntity {
		problem.Errors = each(model.Errors[:min(len(model.Errors), mostMistakes)], mistakeOf)
		s.tellKnown(problem.Errors, ctx.Operation().Parameters, bodyOf(ctx.Operation()))
	}
	return problem, nil
}

// detailOf says in one sentence what huma found.
func detailOf(model *huma.ErrorModel) string {
	switch {
	case model.Status == http.StatusUnsupportedMediaType:
		return "send the header Content-Type: application/json"
	case model.Status == http.StatusUnprocessableEntity && len(model.Errors) == 1:
		return "the request has a mistake"
	case model.Status == http.StatusUnprocessableEntity:
		return "the request has " + strconv.Itoa(len(model.Errors)) + " mistakes"
	case len(model.Errors) > 0:
		return model.Errors[0].Message
	}
	return model.Detail
}

func slugOf(model *huma.ErrorModel) string {
	switch model.Status {
	case http.StatusBadRequest:
		return kindMalformed
	case http.StatusUnprocessableEntity:
		return kindInvalid
	case http.StatusUnsupportedMediaType:
		return kindMediaType
	case http.StatusRequestEntityTooLarge:
		return kindTooLarge
	case http.StatusRequestTimeout:
		return kindTooSlow
	}
	return kindInternal
}

// mistakeOf leaves out the value that huma echoes: it may be a secret or
// somebody's name.
func mistakeOf(detail *huma.ErrorDetail) mistake {
	m := mistake{Code: "invalid", Detail: detail.Message}
	location := detail.Location
	if name, found := strings.CutPrefix(m.Detail, "expected required property "); found {
		name, _, _ = strings.Cut(name, " ")
		location, m.Code, m.Detail = location+"."+name, "required", "is required"
	}
	if _, kind, found := strings.Cut(m.Detail, " of type "); found && strings.HasPrefix(m.Detail, "json: cannot unmarshal") {
		// A number that fits the schema and not its type: the decoder names
		// Go's types, which are nobody's business.
		m.Detail = "is no value of its kind: write whole numbers in digits, at most 9223372036854775807"
		if kind == "string" {
			m.Detail = "must be a string"
		}
	}
	switch {
	case m.Detail == unknownMember, m.Detail == unknownParameter:
		m.Code = "unknown"
	case strings.HasPrefix(m.Detail, "required "):
		m.Code = "required"
	}
	if location != "body" && !strings.HasPrefix(location, "body.") && !strings.HasPrefix(location, "body[") {
		m.Parameter = location
		return m
	}
	m.Pointer = pointerOf(strings.TrimPrefix(location, "body"))
	return m
}

// inPath says of mistakes with these members that they are in the path.
func (s *server) inPath(err error, names ...string) error {
	var rule *domain.RuleError
	if !errors.As(err, &rule) {
		return err
	}
	problem := s.refusal(rule)
	for i, m := range problem.Errors {
		if name := strings.TrimPrefix(m.Pointer, "/"); slices.Contains(names, name) {
			problem.Errors[i].Pointer, problem.Errors[i].Parameter = "", "path."+name
		}
	}
	return problem
}

// mistakesOf are those a rule found.
func mistakesOf(err error) []domain.Mistake {
	var rule *domain.RuleError
	if !errors.As(err, &rule) {
		return nil
	}
	return rule.Mistakes
}

// pointerOf turns ".lines[3].quantity" into "/lines/3/quantity".
func pointerOf(path string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", ".", "/", "[", "/", "]", "").Replace(path)
}
