package api

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/domain/apikey"
)

type egressAnswer struct {
	Body struct {
		Addresses []string `json:"addresses" nullable:"false" doc:"Networks that webhooks come from, in CIDR notation; empty where they are not fixed." example:"[\"203.0.113.7/32\"]"`
	} `nameHint:"EgressAddresses"`
}

func (s *server) egressRoutes() {
	register(s, route{
		id: "listEgressAddresses", method: http.MethodGet, path: "/v1/egress-ips", tag: "webhooks",
		scopes: []apikey.Scope{apikey.WebhooksRead, apikey.WebhooksWrite}, status: http.StatusOK,
		summary: "Show the addresses that webhooks come from", about: "For the receivers' firewalls. A signature proves more than an address.",
	}, s.listEgress)
}

func (s *server) listEgress(context.Context, *struct{}) (*egressAnswer, error) {
	answer := &egressAnswer{}
	answer.Body.Addresses = each(s.api.Egress, func(network string) string { return network })
	return answer, nil
}
