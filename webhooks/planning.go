package webhooks

import (
	"time"

	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// spillAfter is how long one answer may hold up the cursor.
const spillAfter = 250 * time.Millisecond

// plan is how deliveries to an endpoint are planned.
func (c *Config) plan(to *target, random func() float64) delivery.Config {
	cfg := delivery.Config{
		Schedule:     delivery.Schedule{Waits: c.Waits, Random: random},
		BudgetConfig: c.budget(to),
		Order:        delivery.Order(to.OrderMode),
		Block:        to.OnExhausted == endpoint.ExhaustedBlock,
		Window:       c.Window,
		MaxParked:    c.MaxParked,
		SpillAfter:   spillAfter,
	}
	if waits := to.Schedule(); len(waits) > 0 && !IsPing(to.run.RunID) {
		cfg.Schedule.Waits = waits
	}
	if to.run.RunID == ledger.Live { // how an endpoint is shows in what goes on now
		cfg.Health = delivery.HealthConfig{Warn: c.Warn, GiveUp: c.GiveUp}
	} else {
		cfg.Block = false // a replay is never held up for good by one message
	}
	return cfg
}

// budget is what an endpoint takes of all its runs together.
func (c *Config) budget(to *target) delivery.BudgetConfig {
	cfg := delivery.BudgetConfig{
		Breaker: delivery.DefaultBreaker(), InFlight: c.InFlight, MostInFlight: delivery.MostInFlight, Rate: to.RatePerSecond,
	}
	if len(c.BreakerWaits) > 0 {
		cfg.Breaker.Waits = c.BreakerWaits
	}
	if to.MaxInFlight > 0 {
		cfg.InFlight, cfg.MostInFlight = min(c.InFlight, to.MaxInFlight), to.MaxInFlight
	}
	return cfg
}
