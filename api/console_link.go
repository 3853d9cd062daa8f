package api

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/domain/apikey"
)

type consoleLinkRequest struct {
	Body consoleLinkBody
}

type consoleLinkBody struct {
	PartnerID    string `json:"partner_id,omitempty" doc:"Whose endpoints it shows; missing is the shop's own." maxLength:"64"`
	ReadOnly     bool   `json:"read_only,omitempty" doc:"Nothing can be changed by it."`
	ValidSeconds int    `json:"valid_seconds,omitempty" minimum:"60" maximum:"86400" doc:"An hour if missing. A link cannot be revoked."`
}

type consoleLinkAnswer struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		URL       string    `json:"url" doc:"Whoever has it may use the console. What is behind # is sent to no server." example:"https://shop.example/console/enter#eyJ…"`
		ExpiresAt time.Time `json:"expires_at"`
	} `nameHint:"ConsoleLink"`
}

func (s *server) consoleLinkRoutes() {
	admin := []apikey.Scope{apikey.Admin}
	register(s, route{
		id: "createConsoleLink", method: http.MethodPost, path: "/v1/console-links", tag: "keys", scopes: admin, status: http.StatusCreated,
		summary: "Make a link to the console", about: "For a person: it signs in whoever opens it, to what a partner's key may do, until it expires. " +
			"The address is the one that this request came to.",
		refuses: []string{apikey.ErrPartnerNotFound.Code},
		example: map[string]any{"partner_id": "warehouse-eu", "valid_seconds": 3600},
	}, s.createConsoleLink)
}

func (s *server) createConsoleLink(ctx context.Context, in *consoleLinkRequest) (*consoleLinkAnswer, error) {
	lasting := time.Duration(cmp.Or(in.Body.ValidSeconds, 3600)) * time.Second
	link, err := s.api.Keys.SignLink(ctx, access.NewLink{PartnerID: in.Body.PartnerID, ReadOnly: in.Body.ReadOnly, Lasting: lasting})
	if err != nil {
		return nil, err
	}
	answer := &consoleLinkAnswer{CacheControl: "no-store"}
	answer.Body.URL, answer.Body.ExpiresAt = origin(callOf(ctx).request)+"/console/enter#"+link.Text, link.ExpiresAt
	return answer, nil
}

// origin is the address that a request came to, as its sender knows it.
func origin(r *http.Request) string {
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
