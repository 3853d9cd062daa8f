package app

import (
	"context"

	"github.com/waybill-dev/waybill/handlers/gatewaycallbacks"
	"github.com/waybill-dev/waybill/projections"
)

// startGatewayCallbacks applies what payment gateways tell this process, and,
// with the role, what any process was told and nobody applied.
func (a *App) startGatewayCallbacks() {
	c := a.commands
	c.gatewayCallbacks = gatewaycallbacks.New(gatewaycallbacks.Service{
		Store: a.store, Gateways: c.gateways, Checkouts: c.checkout, Timeout: a.cfg.Checkout.GatewayTimeout, Now: a.now, Logger: a.logger,
	})
	if a.has(RoleAPI) {
		a.life.run("gateways' callbacks", c.gatewayCallbacks.Run)
	}
	if a.runs(tasksPart) {
		sweeper := &gatewaycallbacks.Sweeper{
			Service: c.gatewayCallbacks, Waiting: waitingCallbacks{a.models.callbacks}, Interval: a.cfg.Checkout.RecoverEvery,
		}
		a.runAlone("gateways' callbacks that wait", sweeper.Run)
	}
}

// waitingCallbacks lets the sweeper read the read model of callbacks.
type waitingCallbacks struct {
	queries projections.GatewayCallbackQueries
}

// callbacksRound is how many callbacks one round looks at.
const callbacksRound = 10_000

// Waiting implements [gatewaycallbacks.Waiting].
func (w waitingCallbacks) Waiting(ctx context.Context) ([]gatewaycallbacks.Item, error) {
	rows, err := w.queries.List(ctx, "waiting", nil, callbacksRound)
	items := make([]gatewaycallbacks.Item, len(rows))
	for i, row := range rows {
		items[i] = gatewaycallbacks.Item{ID: row.ID, ReceivedAt: row.ReceivedAt}
	}
	return items, err
}
