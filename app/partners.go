package app

import (
	"context"

	"github.com/waybill-dev/waybill/webhooks"
)

// followPartners keeps the sales channels of endpoints those of their partners.
func (a *App) followPartners() {
	follower := &webhooks.Partners{
		Endpoints: a.hooks.endpoints, Logger: a.logger,
		Channels: func(ctx context.Context) (map[string][]string, error) {
			list, err := a.commands.keys.Partners(ctx)
			channels := map[string][]string{}
			for _, partner := range list {
				channels[partner.ID] = partner.Channels
			}
			return channels, err
		},
	}
	a.life.run("partners' sales channels", follower.Run)
}

func (a *App) webhookBounds() webhooks.Bounds {
	cfg := a.cfg.Webhooks
	return webhooks.Bounds{
		PerTenant: cfg.MaxEndpoints, PerHost: cfg.MaxEndpointsPerHost,
		Creates: cfg.CreatesPerMinute, Tests: cfg.TestsPerMinute, Resends: cfg.ResendsPerMinute, Replays: cfg.ReplaysPerMinute,
	}
}

// webhookVerify says whose endpoints have to show that they want to be called.
// In development, where receivers are one's own, nobody's.
func (a *App) webhookVerify() webhooks.Verify {
	switch cfg := a.cfg.Webhooks; {
	case cfg.Verify == "all":
		return webhooks.VerifyEverybody
	case cfg.Verify == "partners", cfg.Verify == "" && !cfg.AllowPrivate:
		return webhooks.VerifyPartners
	}
	return webhooks.VerifyNobody
}
