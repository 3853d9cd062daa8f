package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/credentials"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

type createEndpointRequest struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Optional: the same key and body again answer the same endpoint, its secret included."`
	Body           createEndpointBody
}

type createdEndpointAnswer struct {
	Location     string `header:"Location"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         createdEndpointBody
}

type createdEndpointBody struct {
	EndpointBody
	Secret string `json:"secret" doc:"Verifies the signatures (Standard Webhooks): shown here and never again." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="`
}

type endpointAnswer struct {
	ETag     string `header:"ETag"`
	Replayed string `header:"Idempotency-Replayed" doc:"true where this is the answer to an earlier request."`
	Position string `header:"X-Write-Position" doc:"Of the change in the log."`
	Body     EndpointBody
}

// EndpointBody is exported because huma looks into nothing else that is
// embedded.
type EndpointBody struct {
	ID       string   `json:"id"`
	TenantID string   `json:"tenant_id,omitempty" doc:"The partner it belongs to; missing for the shop's own."`
	Channels []string `json:"channels,omitempty" doc:"The partner's sales channels: no other orders are for it."`
	EndpointSettings
	ContactEmail   string               `json:"contact_email,omitempty" doc:"Who is written to when nothing can be delivered."`
	Credentials    *credentials.Summary `json:"credentials,omitempty" doc:"What may be told of what we show it."`
	Status         string               `json:"status" enum:"active,paused,disabled"`
	Verification   *verificationBody    `json:"verification,omitempty" doc:"Whether the receiver has shown that it wants to be called; missing where it was never asked."`
	DisabledReason string               `json:"disabled_reason,omitempty" doc:"requested by its owner, gone: the receiver answered 410 or asked for it, or why else."`
	Secrets        []liveSecretBody     `json:"secrets" nullable:"false" doc:"That sign, the newest first."`
	CreatedAt      time.Time            `json:"created_at"`
}

type liveSecretBody struct {
	Version  int        `json:"version" doc:"Counts from 1."`
	NotAfter *time.Time `json:"not_after,omitempty" doc:"Until when it signs; missing while no other has followed it."`
}

func (s *server) endpointBody(ctx context.Context, e webhooks.Endpoint) (EndpointBody, error) {
	contact, err := s.api.Endpoints.Contact(ctx, e.Settings)
	if err != nil {
		return EndpointBody{}, err
	}
	body := EndpointBody{
		ID: e.ID, TenantID: e.TenantID, Channels: e.Channels, EndpointSettings: settingsBodyOf(e.Settings), Credentials: shownCredentials(e.Settings),
		Status: string(e.Status), Verification: verificationBodyOf(e.Verification), DisabledReason: e.DisabledReason, CreatedAt: e.CreatedAt,
		ContactEmail: contact,
	}
	body.Secrets = each(e.Secrets, func(secret webhooks.LiveSecret) liveSecretBody {
		return liveSecretBody{Version: secret.Version, NotAfter: timeOrNil(secret.NotAfter)}
	})
	return body, nil
}

type endpointListRequest struct {
	Tenant string `query:"tenant" doc:"Only those of this partner." maxLength:"64"`
}

type endpointListAnswer struct {
	Body struct {
		Items []EndpointBody `json:"items" nullable:"false"`
	} `nameHint:"EndpointList"`
}

type endpointRequest struct {
	ID string `path:"id" doc:"Id of the endpoint."`
}

func (s *server) endpointRoutes() {
	read := []apikey.Scope{apikey.WebhooksRead, apikey.WebhooksWrite}
	write := []apikey.Scope{apikey.WebhooksWrite}
	missing := []string{endpoint.ErrNotFound.Code}
	register(s, route{
		id: "createEndpoint", method: http.MethodPost, path: "/v1/endpoints", tag: "webhooks", scopes: write, status: http.StatusCreated,
		summary: "Create a webhook endpoint", about: "What happens from now on is sent to it, signed with the secret of the answer. It belongs to the partner whose key asks. Where verification says pending, the receiver has to answer endpoint.ping first.",
		refuses: []string{
			endpoint.ErrInvalid.Code, domain.ErrKeyReused.Code, endpoint.ErrDeleted.Code, kindKeyInvalid,
			webhooks.ErrTooManyEndpoints.Code, webhooks.ErrTooManyAtHost.Code, webhooks.ErrTooOften.Code,
		},
		example: map[string]any{"url": "https://partner.example/waybill", "event_types": []string{"order.placed"}},
	}, s.createEndpoint)
	register(s, route{
		id: "listEndpoints", method: http.MethodGet, path: "/v1/endpoints", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "List all webhook endpoints",
		about:   "Oldest first. An endpoint that was created this moment may be missing. A partner's key lists the partner's, an admin's key everybody's, any other the shop's own.",
	}, s.listEndpoints)
	register(s, route{
		id: "getEndpoint", method: http.MethodGet, path: "/v1/endpoints/{id}", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "Show a webhook endpoint", refuses: missing,
	}, s.getEndpoint)
	s.endpointChangeRoutes(write)
	s.endpointHistoryRoutes(read)
	s.deliveryRoutes(read, write)
}

func (s *server) createEndpoint(ctx context.Context, in *createEndpointRequest) (*createdEndpointAnswer, error) {
	meta, err := s.command(ctx, "endpoint", in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	settings := in.Body.settings()
	if err := mayHave(ctx, endpoint.ErrInvalid, settings); err != nil {
		return nil, err
	}
	id := eventstore.DeriveID("endpoint", meta.CommandID)
	meta.CorrelationID = id
	caller := callOf(ctx).credential
	created, err := s.api.Endpoints.Create(ctx, webhooks.NewEndpoint{
		ID: id, TenantID: caller.PartnerID, Channels: caller.Channels, Settings: settings, Credentials: in.Body.Credentials,
		Contact: in.Body.ContactEmail,
	}, meta)
	if err != nil {
		return nil, err
	}
	body, err := s.endpointBody(ctx, created.Endpoint)
	if err != nil {
		return nil, err
	}
	return &createdEndpointAnswer{
		Location: "/v1/endpoints/" + id, ETag: etag(created.Revision), CacheControl: "no-store",
		Body: createdEndpointBody{EndpointBody: body, Secret: created.Secret.Text()},
	}, nil
}

// tenancy is whose endpoints the caller reaches; nil is everybody's.
func tenancy(ctx context.Context) *string {
	caller := callOf(ctx).credential
	if caller.May() { // as admin
		return nil
	}
	return &caller.PartnerID
}

func (s *server) listEndpoints(ctx context.Context, in *endpointListRequest) (*endpointListAnswer, error) {
	list, err := s.api.Endpoints.List(ctx)
	if err != nil {
		return nil, err
	}
	whose := tenancy(ctx)
	list = slices.DeleteFunc(list, func(e webhooks.Endpoint) bool {
		return (whose != nil && e.TenantID != *whose) || (in.Tenant != "" && e.TenantID != in.Tenant)
	})
	answer := &endpointListAnswer{}
	answer.Body.Items = make([]EndpointBody, len(list))
	for i, e := range list {
		if answer.Body.Items[i], err = s.endpointBody(ctx, e); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

func (s *server) getEndpoint(ctx context.Context, in *endpointRequest) (*endpointAnswer, error) {
	found, err := s.api.Endpoints.Own(ctx, in.ID, tenancy(ctx))
	if err != nil {
		return nil, err
	}
	body, err := s.endpointBody(ctx, found)
	return &endpointAnswer{ETag: etag(found.Revision), Body: body}, err
}
