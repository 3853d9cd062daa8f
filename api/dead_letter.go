package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/deadletter"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects/deadletters"
)

type deadLettersRequest struct {
	Handler string    `query:"handler" maxLength:"100" doc:"Only of this handler." example:"email"`
	Status  string    `query:"status" enum:"parked,retrying,failed,handled,discarded" doc:"Without it, those that are neither handled nor discarded."`
	Type    string    `query:"type" maxLength:"100" doc:"Of the event." example:"OrderPlaced"`
	Stream  string    `query:"stream" maxLength:"500" doc:"Of the event."`
	After   givenTime `query:"after" format:"date-time" doc:"Put aside at this time or later."`
	Before  givenTime `query:"before" format:"date-time" doc:"Put aside before this time."`
	Limit   int       `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"How many on a page."`
	Cursor  string    `query:"cursor" maxLength:"500" doc:"next_cursor of the page before, with the same filters."`
}

type deadLettersAnswer struct {
	Link string `header:"Link"`
	Body struct {
		Items []deadLetterBody `json:"items" nullable:"false"`
		Next  string           `json:"next_cursor,omitempty" doc:"Missing on the last page."`
	} `nameHint:"DeadLetterList"`
}

type deadLetterBody struct {
	Handler       string     `json:"handler" example:"email"`
	Number        int64      `json:"number" doc:"Names it, with the handler."`
	Status        string     `json:"status" enum:"parked,retrying,failed,handled,discarded" doc:"failed: once more, by a retry."`
	EventID       string     `json:"event_id,omitempty"`
	EventType     string     `json:"event_type,omitempty" doc:"Missing when the event is no longer in the log." example:"OrderPlaced"`
	Stream        string     `json:"stream" example:"order-0199c0de-0000-7000-8000-000000000001"`
	Revision      int64      `json:"revision"`
	RecordedAt    *time.Time `json:"recorded_at,omitempty"`
	ParkedAt      time.Time  `json:"parked_at"`
	Attempts      int        `json:"attempts" doc:"Before it was put aside."`
	Error         string     `json:"error" doc:"The last one."`
	TraceID       string     `json:"trace_id,omitempty" doc:"Of what caused the event; the attempts stand in it."`
	CorrelationID string     `json:"correlation_id,omitempty"`
}

type deadLetterDetail struct {
	deadLetterBody

	Data       any                `json:"data,omitempty" doc:"The payload of the event."`
	EditedData any                `json:"edited_data,omitempty" doc:"The payload of the copy that is handled instead."`
	FirstAt    *time.Time         `json:"first_attempt_at,omitempty"`
	Errors     []deadLetterError  `json:"errors" nullable:"false" doc:"The newest are last, those of retries included; at most ten from before it was put aside."`
	Changes    []deadLetterChange `json:"changes" nullable:"false" doc:"What was decided, and what became of it."`
}

type deadLetterError struct {
	At    time.Time `json:"at"`
	Error string    `json:"error"`
}

type deadLetterChange struct {
	Kind   string    `json:"kind" enum:"retried,edited,handled,failed,discarded"`
	By     string    `json:"by,omitempty" doc:"Id of the API key."`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

type deadLetterAnswer struct{ Body deadLetterDetail }

// DeadLetterName names one dead letter. It is exported because huma looks into
// nothing else.
type DeadLetterName struct {
	Handler string `path:"handler" maxLength:"100" example:"email"`
	Number  int64  `path:"number" minimum:"0" example:"0"`
}

type retryDeadLetterRequest struct {
	DeadLetterName

	IdempotencyKey string `header:"Idempotency-Key" doc:"Makes a repeat the same request; without it a repeat is harmless too."`
}

type discardDeadLetterRequest struct {
	DeadLetterName

	IdempotencyKey string `header:"Idempotency-Key" doc:"Makes a repeat the same request; without it a repeat is harmless too."`
	Body           struct {
		Reason string `json:"reason" maxLength:"64" doc:"For the record, a word of small letters, digits, - and _, with at most 4 digits." example:"test_order"`
	}
}

type editDeadLetterRequest struct {
	DeadLetterName

	IdempotencyKey string `header:"Idempotency-Key" doc:"Makes a repeat the same request."`
	Body           editDeadLetterBody
}

type editDeadLetterBody struct {
	Data   json.RawMessage `json:"data" doc:"The payload of the copy, whole, as an object."`
	Reason string          `json:"reason" maxLength:"64" doc:"For the record, a word of small letters, digits, - and _, with at most 4 digits." example:"line_without_sku"`
}

type retryDeadLettersRequest struct {
	Body retryDeadLettersBody
}

type retryDeadLettersBody struct {
	Handler string     `json:"handler" maxLength:"100" example:"email"`
	Type    string     `json:"type,omitempty" maxLength:"100" doc:"Of the event."`
	Stream  string     `json:"stream,omitempty" maxLength:"500" doc:"Of the event."`
	After   *time.Time `json:"after,omitempty" doc:"Put aside at this time or later."`
	Before  *time.Time `json:"before,omitempty" doc:"Put aside before this time."`
}

type retriedAnswer struct {
	Body struct {
		Retried int  `json:"retried" doc:"How many."`
		More    bool `json:"more" doc:"There are more of them: ask again."`
	} `nameHint:"RetriedDeadLetters"`
}

func (s *server) deadLetterRoutes() {
	admin := []apikey.Scope{apikey.Admin}
	refuses := func(more ...string) []string {
		return append([]string{kindNotFound, kindConflict, kindKeyInvalid, domain.ErrKeyReused.Code, deadletter.ErrNotFound.Code, deadletter.ErrClosed.Code}, more...)
	}
	register(s, route{
		id: "listDeadLetters", method: http.MethodGet, path: "/admin/dead-letters", tag: "dead letters", scopes: admin, status: http.StatusOK,
		summary: "List events that side effects could not handle", about: "By handler, the oldest first, with the reason. All other events go on.", refuses: []string{kindNotFound, kindBadCursor},
	}, s.listDeadLetters)
	register(s, route{
		id: "getDeadLetter", method: http.MethodGet, path: "/admin/dead-letters/{handler}/{number}", tag: "dead letters", scopes: admin, status: http.StatusOK,
		summary: "Show one of them", about: "With the event, every error, and what was decided.", refuses: []string{kindNotFound, deadletter.ErrNotFound.Code},
	}, s.getDeadLetter)
	register(s, route{
		id: "retryDeadLetter", method: http.MethodPost, path: "/admin/dead-letters/{handler}/{number}/retry", tag: "dead letters", scopes: admin, status: http.StatusAccepted,
		summary: "Have one handled once more", about: "By whoever runs the handler: status tells how that ended. An edited copy is handled where there is one.", refuses: refuses(),
	}, s.retryDeadLetter)
	register(s, route{
		id: "retryDeadLetters", method: http.MethodPost, path: "/admin/dead-letters/retry", tag: "dead letters", scopes: admin, status: http.StatusAccepted,
		summary: "Have those of a filter handled once more", about: "The oldest first, at most 500 at once; what is closed or being retried is left out.", refuses: []string{kindNotFound, kindConflict},
		example: map[string]any{"handler": "email", "type": "OrderPlaced"},
	}, s.retryDeadLetters)
	register(s, route{
		id: "editDeadLetter", method: http.MethodPost, path: "/admin/dead-letters/{handler}/{number}/edit", tag: "dead letters", scopes: admin, status: http.StatusAccepted,
		summary: "Have an edited copy handled", about: "In the place of the event, which stays in the log as it is. The copy is kept sealed; who, when and why stays on record. A handler that reads more of the log than the event sees that as it is.",
		refuses: refuses(deadletter.ErrRetrying.Code, deadletter.ErrInvalid.Code),
		example: map[string]any{"data": map[string]any{"order_id": "1"}, "reason": "line_without_sku"},
	}, s.editDeadLetter)
	register(s, route{
		id: "discardDeadLetter", method: http.MethodPost, path: "/admin/dead-letters/{handler}/{number}/discard", tag: "dead letters", scopes: admin, status: http.StatusOK,
		summary: "Discard one of them", about: "It is not handled. Who, when and why stays on record.", refuses: refuses(deadletter.ErrRetrying.Code, deadletter.ErrInvalid.Code),
		example: map[string]any{"reason": "test_order"},
	}, s.discardDeadLetter)
}

// effect refuses a handler that there is none of.
func (s *server) effect(name string) error {
	if slices.Contains(s.api.Effects, name) {
		return nil
	}
	return s.refuse(kindNotFound, "there is no handler of this name, only "+strings.Join(s.api.Effects, ", "))
}

// deadLetterPlace is where a page begins.
type deadLetterPlace struct {
	Handler string `json:"handler"`
	Number  int64  `json:"number"`
}

func (s *server) listDeadLetters(ctx context.Context, in *deadLettersRequest) (*deadLettersAnswer, error) {
	names := s.api.Effects
	if in.Handler != "" {
		if err := s.effect(in.Handler); err != nil {
			return nil, err
		}
		names = []string{in.Handler}
	}
	filters := map[string]string{"handler": in.Handler, "status": in.Status, "type": in.Type, "stream": in.Stream, "after": timeText(in.After.Time), "before": timeText(in.Before.Time)}
	pages := s.paged("/admin/dead-letters", Paging{Limit: in.Limit, Cursor: in.Cursor}, filters)
	var from deadLetterPlace
	if _, err := pages.begin(&from); err != nil {
		return nil, err
	}
	filter := deadletters.Filter{Status: deadletter.Status(in.Status), Type: in.Type, Stream: in.Stream, After: in.After.Time, Before: in.Before.Time}
	rows, err := s.deadLetters(ctx, names, filter, from, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows, last := cut(rows, in.Limit)
	answer := &deadLettersAnswer{}
	answer.Body.Items = each(rows, deadLetterBodyOf)
	if last != nil {
		answer.Body.Next, answer.Link, err = pages.next(deadLetterPlace{Handler: last.Handler, Number: int64(last.Number) + 1})
	}
	return answer, err
}

// deadLetters reads handler by handler.
func (s *server) deadLetters(ctx context.Context, names []string, filter deadletters.Filter, from deadLetterPlace, limit int) (rows []deadletters.Letter, err error) {
	for _, name := range names {
		if name < from.Handler || len(rows) == limit {
			continue
		}
		first := int64(0)
		if name == from.Handler {
			first = from.Number
		}
		some, _, err := s.api.DeadLetters.List(ctx, name, filter, first, limit-len(rows))
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

func deadLetterBodyOf(l deadletters.Letter) deadLetterBody {
	body := deadLetterBody{
		Handler: l.Handler, Number: int64(l.Number), Status: string(l.Status), Stream: l.Stream, Revision: int64(l.Revision),
		ParkedAt: l.At, Attempts: l.Attempts, Error: l.Errors[len(l.Errors)-1].Error,
	}
	if l.Event.Stream == "" {
		return body
	}
	body.EventID, body.EventType, body.RecordedAt = l.Event.ID.String(), l.Event.Type, timeOrNil(l.Event.Created)
	if meta, err := l.Event.Metadata(); err == nil {
		body.CorrelationID, body.TraceID = meta.CorrelationID, meta.TraceID
		if parts := strings.Split(meta.TraceParent, "-"); len(parts) == 4 { // W3C: version, trace, span, flags
			body.TraceID = parts[1]
		}
	}
	return body
}

func (s *server) getDeadLetter(ctx context.Context, in *DeadLetterName) (*deadLetterAnswer, error) {
	if err := s.effect(in.Handler); err != nil {
		return nil, err
	}
	l, err := s.api.DeadLetters.Get(ctx, in.Handler, in.Number)
	if err != nil {
		return nil, err
	}
	detail := deadLetterDetail{deadLetterBody: deadLetterBodyOf(l), EditedData: jsonOrNil(l.Data), FirstAt: timeOrNil(l.First)}
	if l.Event.Stream != "" {
		detail.Data = jsonOrText(l.Event.Data)
	}
	detail.Errors = each(l.Errors, func(e deadletters.Error) deadLetterError { return deadLetterError(e) })
	detail.Changes = each(l.Changes, func(c deadletter.Change) deadLetterChange {
		return deadLetterChange{Kind: c.Kind, By: c.By, Reason: c.Reason, At: c.At}
	})
	return &deadLetterAnswer{detail}, nil
}

// decideDeadLetter decides, and shows what came of it.
func (s *server) decideDeadLetter(ctx context.Context, name DeadLetterName, what, key string, decide func(eventstore.Metadata) error) (*deadLetterAnswer, error) {
	if err := s.effect(name.Handler); err != nil {
		return nil, err
	}
	meta, err := s.request(ctx, fmt.Sprintf("%s %s %d", what, name.Handler, name.Number), key)
	if err != nil {
		return nil, err
	}
	if err := decide(meta); err != nil {
		return nil, err
	}
	return s.getDeadLetter(ctx, &name)
}

func (s *server) retryDeadLetter(ctx context.Context, in *retryDeadLetterRequest) (*deadLetterAnswer, error) {
	return s.decideDeadLetter(ctx, in.DeadLetterName, "retry dead letter", in.IdempotencyKey, func(meta eventstore.Metadata) error {
		return s.api.DeadLetters.Retry(ctx, meta, in.Handler, in.Number)
	})
}

func (s *server) editDeadLetter(ctx context.Context, in *editDeadLetterRequest) (*deadLetterAnswer, error) {
	return s.decideDeadLetter(ctx, in.DeadLetterName, "edit dead letter", in.IdempotencyKey, func(meta eventstore.Metadata) error {
		return s.api.DeadLetters.Edit(ctx, meta, in.Handler, in.Number, in.Body.Data, in.Body.Reason)
	})
}

func (s *server) discardDeadLetter(ctx context.Context, in *discardDeadLetterRequest) (*deadLetterAnswer, error) {
	return s.decideDeadLetter(ctx, in.DeadLetterName, "discard dead letter", in.IdempotencyKey, func(meta eventstore.Metadata) error {
		return s.api.DeadLetters.Discard(ctx, meta, in.Handler, in.Number, in.Body.Reason)
	})
}

func (s *server) retryDeadLetters(ctx context.Context, in *retryDeadLettersRequest) (*retriedAnswer, error) {
	if err := s.effect(in.Body.Handler); err != nil {
		return nil, err
	}
	meta, err := s.command(ctx, "retry dead letters", "")
	if err != nil {
		return nil, err
	}
	filter := deadletters.Filter{Type: in.Body.Type, Stream: in.Body.Stream}
	if in.Body.After != nil {
		filter.After = *in.Body.After
	}
	if in.Body.Before != nil {
		filter.Before = *in.Body.Before
	}
	answer := &retriedAnswer{}
	answer.Body.Retried, answer.Body.More, err = s.api.DeadLetters.RetryAll(ctx, meta, in.Body.Handler, filter)
	return answer, err
}
