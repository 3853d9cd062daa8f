package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// EndpointChange is exported because huma looks into nothing else.
type EndpointChange struct {
	ID             string `path:"id" doc:"Id of the endpoint."`
	IfMatch        string `header:"If-Match" doc:"The endpoint's entity tag that the change was decided on; without it, or with *, the endpoint is changed whatever it is now."`
	IdempotencyKey string `header:"Idempotency-Key" doc:"1 to 255 printable characters of your making: the same key and body again gives the first answer."`
}

type endpointChangeRequest struct{ EndpointChange }

type patchEndpointRequest struct {
	EndpointChange
	Body patchEndpointBody
}

type resumeEndpointRequest struct {
	EndpointChange
	Body *resumeEndpointBody
}

type resumeEndpointBody struct {
	From string `json:"from,omitempty" doc:"Where deliveries go on: after a cursor of a message, at a time (RFC 3339), now, or beginning; without it where they stopped. What was recorded after it is sent, again if need be; what still waits of before is not." example:"2026-08-21T10:00:00Z" maxLength:"200"`
}

type rotateSecretRequest struct {
	EndpointChange
	Body *rotateSecretBody
}

type rotateSecretBody struct {
	Overlap *int `json:"overlap_seconds,omitempty" doc:"How long the old secret signs beside the new one: a day unless said, a week at most. 0 ends all old secrets at once." example:"86400"`
}

type rotatedSecretAnswer struct {
	ETag         string `header:"ETag"`
	Replayed     string `header:"Idempotency-Replayed"`
	CacheControl string `header:"Cache-Control"`
	Body         rotatedSecretBody
}

type rotatedSecretBody struct {
	Secret   string     `json:"secret" doc:"Shown here and never again." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="`
	Version  int        `json:"version"`
	OldUntil *time.Time `json:"old_until,omitempty" doc:"Until when the one before signs; missing if it does not."`
}

type testedEndpointAnswer struct {
	Body testedEndpointBody
}

type testedEndpointBody struct {
	MessageID string `json:"message_id" doc:"The webhook-id of the message that is sent."`
}

// usualOverlap is how long an old secret signs unless said otherwise.
const usualOverlap = 24 * time.Hour

func (s *server) endpointChangeRoutes(write []apikey.Scope) {
	change := func(id, method, path, summary, about string, status int, refuses ...string) route {
		return route{
			id: id, method: method, path: "/v1/endpoints/{id}" + path, tag: "webhooks", scopes: write, status: status, summary: summary, about: about,
			refuses: append([]string{
				endpoint.ErrNotFound.Code, domain.ErrKeyReused.Code, webhooks.ErrRevision.Code, kindKeyInvalid, kindConflict,
			}, refuses...),
		}
	}
	patch := change("patchEndpoint", http.MethodPatch, "", "Change the settings of a webhook endpoint",
		"A JSON merge patch: members that are missing stay, null is what is usual. If-Match is required.", http.StatusOK, endpoint.ErrInvalid.Code, kindPrecondition,
		webhooks.ErrTooManyAtHost.Code, webhooks.ErrTooOften.Code)
	patch.example = map[string]any{"rate_per_second": 50, "filter": nil}
	register(s, patch, s.patchEndpoint)
	register(s, change("deleteEndpoint", http.MethodDelete, "", "Delete a webhook endpoint",
		"Nothing more is sent to it. Deleting it again is harmless.", http.StatusNoContent), s.deleteEndpoint)
	register(s, change("pauseEndpoint", http.MethodPost, "/pause", "Pause a webhook endpoint",
		"Nothing is sent until it is resumed, and nothing is lost.", http.StatusOK, endpoint.ErrDisabled.Code), s.pauseEndpoint)
	resume := change("resumeEndpoint", http.MethodPost, "/resume", "Resume a webhook endpoint",
		"Deliveries of a paused or disabled endpoint go on where they stopped, or elsewhere.", http.StatusOK, endpoint.ErrActive.Code, webhooks.ErrFrom.Code, kindBadCursor)
	resume.example = map[string]any{"from": "2026-08-21T10:00:00Z"}
	register(s, resume, s.resumeEndpoint)
	register(s, change("disableEndpoint", http.MethodPost, "/disable", "Disable a webhook endpoint",
		"Nothing is sent until it is enabled, and nothing is lost.", http.StatusOK), s.disableEndpoint)
	register(s, change("enableEndpoint", http.MethodPost, "/enable", "Enable a webhook endpoint",
		"Deliveries of a disabled endpoint go on where they stopped.", http.StatusOK, endpoint.ErrPaused.Code), s.enableEndpoint)
	s.verificationRoutes(change)
	rotate := change("rotateEndpointSecret", http.MethodPost, "/rotate-secret", "Replace the secret of a webhook endpoint",
		"Messages are signed with both secrets until the old one ends: v1,<new> v1,<old>. At most five sign at once.", http.StatusOK,
		endpoint.ErrOverlap.Code, endpoint.ErrTooManySecrets.Code, webhooks.ErrSecretEnded.Code)
	rotate.example = map[string]any{"overlap_seconds": 86400}
	register(s, rotate, s.rotateSecret)
	register(s, change("testEndpoint", http.MethodPost, "/test", "Send a test message",
		"A signed message of type endpoint.test goes to this endpoint only.", http.StatusAccepted,
		endpoint.ErrDisabled.Code, endpoint.ErrPaused.Code, endpoint.ErrUnverified.Code, webhooks.ErrTooOften.Code), s.testEndpoint)
}

// endpointWish is what requests to change an endpoint have in common.
func (s *server) endpointWish(ctx context.Context, in EndpointChange) (webhooks.Request, error) {
	r := webhooks.Request{ID: in.ID, Tenant: tenancy(ctx)}
	if expected, named := ifMatch(in.IfMatch); named {
		r.Expected = &expected
	}
	call := callOf(ctx)
	var err error
	r.Meta, err = s.request(ctx, call.request.Method+" "+call.request.URL.Path, in.IdempotencyKey)
	r.Meta.CorrelationID = in.ID
	return r, err
}

// changeEndpoint answers with an endpoint after a change.
func (s *server) changeEndpoint(
	ctx context.Context, in EndpointChange, change func(webhooks.Request) (webhooks.Changed, error),
) (*endpointAnswer, error) {
	r, err := s.endpointWish(ctx, in)
	if err != nil {
		return nil, err
	}
	done, err := change(r)
	if err != nil {
		return nil, s.unchanged(err)
	}
	body, err := s.endpointBody(ctx, done.Endpoint)
	return &endpointAnswer{
		ETag: etag(done.Revision), Replayed: replayedText(done.Replayed), Position: positionText(done.Position), Body: body,
	}, err
}

func replayedText(is bool) string {
	if is {
		return replayed
	}
	return ""
}

func (s *server) patchEndpoint(ctx context.Context, in *patchEndpointRequest) (*endpointAnswer, error) {
	if in.IfMatch == "" {
		return nil, s.refuse(kindPrecondition, "send the header If-Match with the endpoint's entity tag, or * for whatever it is now")
	}
	return s.changeEndpoint(ctx, in.EndpointChange, func(r webhooks.Request) (webhooks.Changed, error) {
		return s.api.Endpoints.Change(ctx, r, func(now endpoint.Settings) (endpoint.Settings, error) {
			next := in.Body.settings(now)
			return next, mayHave(ctx, endpoint.ErrInvalidChange, next)
		}, in.Body.private())
	})
}

func (s *server) pauseEndpoint(ctx context.Context, in *endpointChangeRequest) (*endpointAnswer, error) {
	return s.changeEndpoint(ctx, in.EndpointChange, func(r webhooks.Request) (webhooks.Changed, error) {
		return s.api.Endpoints.Pause(ctx, r)
	})
}

func (s *server) resumeEndpoint(ctx context.Context, in *resumeEndpointRequest) (*endpointAnswer, error) {
	from := ""
	if in.Body != nil {
		from = in.Body.From
	}
	return s.changeEndpoint(ctx, in.EndpointChange, func(r webhooks.Request) (webhooks.Changed, error) {
		found, err := s.api.Endpoints.Own(ctx, in.ID, r.Tenant)
		if err != nil && !errors.Is(err, endpoint.ErrNotFound) { // a repeat may be of one that is deleted by now
			return webhooks.Changed{}, err
		}
		position, err := s.api.Deliveries.From(ctx, found, from)
		if errors.Is(err, webhooks.ErrForeignCursor) || errors.Is(err, webhooks.ErrBeyond) {
			return webhooks.Changed{}, s.refuse(kindBadCursor, err.Error())
		}
		if err != nil {
			return webhooks.Changed{}, err
		}
		return s.api.Endpoints.Resume(ctx, r, position)
	})
}

func (s *server) disableEndpoint(ctx context.Context, in *endpointChangeRequest) (*endpointAnswer, error) {
	return s.changeEndpoint(ctx, in.EndpointChange, func(r webhooks.Request) (webhooks.Changed, error) {
		return s.api.Endpoints.Turn(ctx, r, false)
	})
}

func (s *server) enableEndpoint(ctx context.Context, in *endpointChangeRequest) (*endpointAnswer, error) {
	return s.changeEndpoint(ctx, in.EndpointChange, func(r webhooks.Request) (webhooks.Changed, error) {
		return s.api.Endpoints.Turn(ctx, r, true)
	})
}

func (s *server) rotateSecret(ctx context.Context, in *rotateSecretRequest) (*rotatedSecretAnswer, error) {
	overlap := usualOverlap
	if in.Body != nil && in.Body.Overlap != nil {
		overlap = time.Duration(max(min(*in.Body.Overlap, 1<<30), -1)) * time.Second
	}
	r, err := s.endpointWish(ctx, in.EndpointChange)
	if err != nil {
		return nil, err
	}
	rotated, err := s.api.Endpoints.Rotate(ctx, r, overlap)
	if err != nil {
		return nil, s.unchanged(err)
	}
	return &rotatedSecretAnswer{
		ETag: etag(rotated.Revision), Replayed: replayedText(rotated.Replayed), CacheControl: "no-store",
		Body: rotatedSecretBody{Secret: rotated.Secret.Text(), Version: rotated.Version, OldUntil: timeOrNil(rotated.OldUntil)},
	}, nil
}

func (s *server) deleteEndpoint(ctx context.Context, in *endpointChangeRequest) (*struct{}, error) {
	r, err := s.endpointWish(ctx, in.EndpointChange)
	if err != nil {
		return nil, err
	}
	return nil, s.unchanged(s.api.Endpoints.DeleteOwn(ctx, r))
}

func (s *server) testEndpoint(ctx context.Context, in *endpointChangeRequest) (*testedEndpointAnswer, error) {
	r, err := s.endpointWish(ctx, in.EndpointChange)
	if err != nil {
		return nil, err
	}
	id, err := s.api.Endpoints.TestOwn(ctx, r)
	if err != nil {
		return nil, s.unchanged(err)
	}
	return &testedEndpointAnswer{Body: testedEndpointBody{MessageID: id}}, nil
}
