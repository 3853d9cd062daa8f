package api

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

type resendRequest struct {
	EndpointChange
	MessageID string `path:"message_id" doc:"The webhook-id of the message, under whichever id a replay sent it."`
}

type resentAnswer struct {
	Replayed string `header:"Idempotency-Replayed"`
	Body     resentBody
}

type resentBody struct {
	MessageID string `json:"message_id" doc:"The webhook-id that it is sent with: that of the first time."`
}

func (s *server) resendRoutes(write []apikey.Scope) {
	decision := func(id, path, summary, about string, refuses ...string) route {
		return route{
			id: id, method: http.MethodPost, path: "/v1/endpoints/{id}/deliveries/{message_id}/" + path, tag: "webhooks", scopes: write, status: http.StatusAccepted,
			summary: summary, about: about,
			refuses: append([]string{
				endpoint.ErrNotFound.Code, webhooks.ErrNoDelivery.Code, domain.ErrKeyReused.Code, webhooks.ErrRevision.Code, kindKeyInvalid, kindConflict,
			}, refuses...),
		}
	}
	register(s, decision("resendDelivery", "resend", "Send a message again",
		"At once, and then retried like any other; also one that was delivered, or given up. Its webhook-id is the same.",
		endpoint.ErrDisabled.Code, endpoint.ErrPaused.Code, webhooks.ErrTooOften.Code), s.resend)
	register(s, decision("skipDelivery", "skip", "Give a message up",
		"Those behind it go on. It stays among the undelivered, and can be sent again."), s.skip)
}

func (s *server) resend(ctx context.Context, in *resendRequest) (*resentAnswer, error) {
	return s.decide(ctx, in, s.api.Endpoints.Resend)
}

func (s *server) skip(ctx context.Context, in *resendRequest) (*resentAnswer, error) {
	return s.decide(ctx, in, s.api.Endpoints.Skip)
}

func (s *server) decide(
	ctx context.Context, in *resendRequest, do func(context.Context, webhooks.Request, endpoint.Chosen) (webhooks.Changed, error),
) (*resentAnswer, error) {
	r, err := s.endpointWish(ctx, in.EndpointChange)
	if err != nil {
		return nil, err
	}
	if _, err := s.api.Endpoints.Own(ctx, in.ID, r.Tenant); err != nil {
		return nil, err
	}
	at, err := s.api.Deliveries.Locate(ctx, in.ID, webhooks.EventOf(in.MessageID))
	if err != nil {
		return nil, err
	}
	done, err := do(ctx, r, endpoint.Chosen{EventID: at.ID, Stream: at.Lane, Revision: uint64(at.Revision), Position: uint64(at.Position)}) //nolint:gosec // a revision of an event is not negative
	if err != nil {
		return nil, s.unchanged(err)
	}
	return &resentAnswer{Replayed: replayedText(done.Replayed), Body: resentBody{MessageID: at.ID}}, nil
}
