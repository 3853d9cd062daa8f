package handlertest

import (
	"context"

	"github.com/waybill-dev/waybill/gateways/payment"
)

// LateShopper is a gateway whose shopper confirms a payment in the moment before
// the gateway is asked to void it, and which tells another process of that.
type LateShopper struct {
	payment.Provider
	Confirm func() // is called once
}

// Void implements [payment.Provider].
func (g *LateShopper) Void(ctx context.Context, key string) (payment.Authorisation, error) {
	if confirm := g.Confirm; confirm != nil {
		g.Confirm = nil
		confirm()
	}
	return g.Provider.Void(ctx, key)
}
