package api

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/eventstore"
)

// call is what is known of the request that is being answered. It belongs to
// one goroutine.
type call struct {
	request    *http.Request
	credential access.Credential
	body       []byte
}

type callKey struct{}

func withCall(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), callKey{}, &call{request: r}))
}

// callOf panics outside of a request that passed [server.ServeHTTP].
func callOf(ctx context.Context) *call {
	return ctx.Value(callKey{}).(*call) //nolint:forcetypeassert // always there
}

// metadata is what every event of this request carries. The command's id is
// set where there is one to derive.
func (c *call) metadata() eventstore.Metadata {
	return eventstore.Metadata{Actor: eventstore.Actor{Type: "api_key", ID: c.credential.KeyID}, Tenant: c.credential.PartnerID}
}

// tenantOf is the partner on whose behalf a request is made, "" the shop.
func tenantOf(ctx context.Context) string { return callOf(ctx).credential.PartnerID }
