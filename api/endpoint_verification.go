package api

import (
	"context"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

type verificationBody struct {
	Status      string     `json:"status" enum:"pending,verified,failed" doc:"pending: a ping is under way."`
	Reason      string     `json:"reason,omitempty" doc:"Why it failed: expired, given_up, or moved where the URL is another one since." example:"expired"`
	Run         string     `json:"run" doc:"The run of the ping: its attempts are at GET /v1/endpoints/{id}/attempts?run={run}." example:"verify_1"`
	RequestedAt time.Time  `json:"requested_at"`
	ExpiresAt   time.Time  `json:"expires_at" doc:"Until then the ping is tried again."`
	EndedAt     *time.Time `json:"ended_at,omitempty" doc:"When it was verified, or failed."`
}

// verificationBodyOf is nil for an endpoint that was never asked.
func verificationBodyOf(v endpoint.Verification) *verificationBody {
	if v.Status == "" {
		return nil
	}
	return &verificationBody{
		Status: string(v.Status), Reason: v.Reason, Run: webhooks.PingRun(v.Number), RequestedAt: v.RequestedAt, ExpiresAt: v.ExpiresAt,
		EndedAt: timeOrNil(v.EndedAt),
	}
}

func (s *server) verificationRoutes(change func(id, method, path, summary, about string, status int, refuses ...string) route) {
	register(s, change("verifyEndpoint", http.MethodPost, "/verify", "Ask an endpoint to verify",
		"Sends endpoint.ping, and then one with a wrong signature: the receiver has to take the first and to refuse the second. While a ping is under way, or after the endpoint was verified, nothing is sent and the answer says how it stands.",
		http.StatusAccepted, endpoint.ErrDisabled.Code, endpoint.ErrPaused.Code, webhooks.ErrTooOften.Code), s.verifyEndpoint)
}

func (s *server) verifyEndpoint(ctx context.Context, in *endpointChangeRequest) (*endpointAnswer, error) {
	return s.changeEndpoint(ctx, in.EndpointChange, func(r webhooks.Request) (webhooks.Changed, error) {
		return s.api.Endpoints.AskVerification(ctx, r)
	})
}
