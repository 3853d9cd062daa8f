package api

import (
	"context"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/domain/apikey"
)

type issueKeyRequest struct {
	Body issueKeyBody
}

type issueKeyBody struct {
	Name      string   `json:"name" doc:"For people: who has the key. 1 to 200 bytes." example:"web shop"`
	Scopes    []string `json:"scopes" nullable:"false" doc:"What the key may do: admin, catalog:write, stock:write, orders:read, orders:write, orders:import, payments:write, customers:read, customers:write, webhooks:read, webhooks:write." example:"[\"orders:read\",\"orders:write\"]"`
	PartnerID string   `json:"partner_id,omitempty" doc:"Whose key it is; without it the shop's own. A partner's key may have webhooks:read and webhooks:write, and reaches the partner's endpoints only." maxLength:"64" example:"warehouse-eu"`
}

type issuedKeyAnswer struct {
	CacheControl string `header:"Cache-Control"`
	Body         issuedKeyBody
}

type issuedKeyBody struct {
	ID        string    `json:"id"`
	Key       string    `json:"key" doc:"The key itself: shown here and never again."`
	Name      string    `json:"name"`
	Scopes    []string  `json:"scopes" nullable:"false"`
	PartnerID string    `json:"partner_id,omitempty"`
	IssuedAt  time.Time `json:"issued_at"`
}

type keyBody struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Scopes    []string   `json:"scopes" nullable:"false"`
	PartnerID string     `json:"partner_id,omitempty" doc:"Whose key it is; missing for the shop's own."`
	IssuedAt  time.Time  `json:"issued_at"`
	RevokedAt *time.Time `json:"revoked_at,omitempty" doc:"Missing while the key is valid."`
}

func keyBodyOf(k apikey.Key) keyBody {
	body := keyBody{ID: k.ID, Name: k.Name, Scopes: make([]string, len(k.Scopes)), PartnerID: k.PartnerID, IssuedAt: k.IssuedAt}
	for i, scope := range k.Scopes {
		body.Scopes[i] = string(scope)
	}
	if !k.Valid() {
		body.RevokedAt = &k.RevokedAt
	}
	return body
}

type keyListAnswer struct {
	Body struct {
		Items []keyBody `json:"items" nullable:"false"`
	} `nameHint:"KeyList"`
}

type keyRequest struct {
	ID string `path:"id" doc:"Id of the key, not the key."`
}

func (s *server) keyRoutes() {
	admin := []apikey.Scope{apikey.Admin}
	register(s, route{
		id: "issueAPIKey", method: http.MethodPost, path: "/v1/api-keys", tag: "keys", scopes: admin, status: http.StatusCreated,
		summary: "Issue an API key", refuses: []string{apikey.ErrInvalid.Code},
		example: map[string]any{"name": "web shop", "scopes": []string{"orders:read", "orders:write"}},
	}, s.issueKey)
	register(s, route{
		id: "listAPIKeys", method: http.MethodGet, path: "/v1/api-keys", tag: "keys", scopes: admin, status: http.StatusOK,
		summary: "List all API keys", about: "Oldest first, those revoked included. The keys themselves are stored nowhere.",
	}, s.listKeys)
	register(s, route{
		id: "revokeAPIKey", method: http.MethodDelete, path: "/v1/api-keys/{id}", tag: "keys", scopes: admin, status: http.StatusNoContent,
		summary: "Revoke an API key", about: "At once and for ever. Revoking it again is harmless.", refuses: []string{apikey.ErrNotFound.Code},
	}, s.revokeKey)
}

func (s *server) issueKey(ctx context.Context, in *issueKeyRequest) (*issuedKeyAnswer, error) {
	scopes := make([]apikey.Scope, len(in.Body.Scopes))
	for i, scope := range in.Body.Scopes {
		scopes[i] = apikey.Scope(scope)
	}
	issued, err := s.api.Keys.Issue(ctx, access.NewKey{Name: in.Body.Name, Scopes: scopes, PartnerID: in.Body.PartnerID}, callOf(ctx).metadata())
	if err != nil {
		return nil, err
	}
	key := keyBodyOf(issued.Key)
	return &issuedKeyAnswer{
		CacheControl: "no-store",
		Body:         issuedKeyBody{ID: key.ID, Key: issued.Text, Name: key.Name, Scopes: key.Scopes, PartnerID: key.PartnerID, IssuedAt: key.IssuedAt},
	}, nil
}

func (s *server) listKeys(ctx context.Context, _ *struct{}) (*keyListAnswer, error) {
	keys, err := s.api.Keys.List(ctx)
	if err != nil {
		return nil, err
	}
	answer := &keyListAnswer{}
	answer.Body.Items = make([]keyBody, len(keys))
	for i, key := range keys {
		answer.Body.Items[i] = keyBodyOf(key)
	}
	return answer, nil
}

func (s *server) revokeKey(ctx context.Context, in *keyRequest) (*struct{}, error) {
	return nil, s.api.Keys.Revoke(ctx, in.ID, callOf(ctx).metadata())
}
