package api

import (
	"context"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
)

type registerPartnerRequest struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Optional: the same key and body again is the same partner; the same key with another body is refused."`
	Body           registerPartnerBody
}

type registerPartnerBody struct {
	ID       string   `json:"id,omitempty" doc:"Of your making: 1 to 64 letters, digits, -, _ and point; without it one is made." example:"warehouse-eu"`
	Name     string   `json:"name" doc:"For people, 1 to 200 bytes." example:"Warehouse EU"`
	Channels []string `json:"channels" nullable:"false" doc:"Sales channels, as orders name them: the partner gets the events of their orders and of no others." example:"[\"web\"]"`
}

type changePartnerRequest struct {
	ID   string `path:"id" doc:"Id of the partner."`
	Body changePartnerBody
}

type changePartnerBody struct {
	Name     string   `json:"name" doc:"For people, 1 to 200 bytes." example:"Warehouse EU"`
	Channels []string `json:"channels" nullable:"false" doc:"Sales channels, as orders name them, instead of those before." example:"[\"web\",\"marketplace\"]"`
}

type partnerAnswer struct{ Body partnerBody }

type partnerBody struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Channels     []string  `json:"channels" nullable:"false"`
	RegisteredAt time.Time `json:"registered_at"`
}

type partnerListAnswer struct {
	Body struct {
		Items []partnerBody `json:"items" nullable:"false"`
	} `nameHint:"PartnerList"`
}

func partnerBodyOf(p apikey.Partner) partnerBody {
	return partnerBody{ID: p.ID, Name: p.Name, Channels: append([]string{}, p.Channels...), RegisteredAt: p.RegisteredAt}
}

func (s *server) partnerRoutes() {
	admin := []apikey.Scope{apikey.Admin}
	register(s, route{
		id: "registerPartner", method: http.MethodPost, path: "/v1/partners", tag: "keys", scopes: admin, status: http.StatusCreated,
		summary: "Register a partner", about: "API keys that are issued for a partner reach the partner's own webhook endpoints, and those get the events of orders of the partner's sales channels.",
		refuses: []string{apikey.ErrPartnerInvalid.Code, apikey.ErrIDReused.Code, kindKeyInvalid, domain.ErrKeyReused.Code, kindConflict},
		example: map[string]any{"id": "warehouse-eu", "name": "Warehouse EU", "channels": []string{"web"}},
	}, s.registerPartner)
	register(s, route{
		id: "listPartners", method: http.MethodGet, path: "/v1/partners", tag: "keys", scopes: admin, status: http.StatusOK,
		summary: "List all partners", about: "Oldest first.",
	}, s.listPartners)
	register(s, route{
		id: "changePartner", method: http.MethodPut, path: "/v1/partners/{id}", tag: "keys", scopes: admin, status: http.StatusOK,
		summary: "Change a partner", about: "Its endpoints get the events of its sales channels as they are from then on, a moment later.",
		refuses: []string{apikey.ErrPartnerInvalid.Code, apikey.ErrPartnerNotFound.Code},
		example: map[string]any{"name": "Warehouse EU", "channels": []string{"web", "marketplace"}},
	}, s.changePartner)
}

func (s *server) registerPartner(ctx context.Context, in *registerPartnerRequest) (*partnerAnswer, error) {
	meta, err := s.request(ctx, "partner", in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	id := in.Body.ID
	if id == "" {
		id = meta.CommandID
	}
	partner, err := s.api.Keys.RegisterPartner(ctx, access.NewPartner{ID: id, Name: in.Body.Name, Channels: in.Body.Channels}, meta)
	if err != nil {
		return nil, err
	}
	return &partnerAnswer{Body: partnerBodyOf(partner)}, nil
}

func (s *server) listPartners(ctx context.Context, _ *struct{}) (*partnerListAnswer, error) {
	list, err := s.api.Keys.Partners(ctx)
	if err != nil {
		return nil, err
	}
	answer := &partnerListAnswer{}
	answer.Body.Items = each(list, partnerBodyOf)
	return answer, nil
}

func (s *server) changePartner(ctx context.Context, in *changePartnerRequest) (*partnerAnswer, error) {
	meta, err := s.command(ctx, "partner "+in.ID, "")
	if err != nil {
		return nil, err
	}
	partner, err := s.api.Keys.ChangePartner(ctx, access.NewPartner{ID: in.ID, Name: in.Body.Name, Channels: in.Body.Channels}, meta)
	if err != nil {
		return nil, err
	}
	return &partnerAnswer{Body: partnerBodyOf(partner)}, nil
}
