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
	breaker := delivery.DefaultBreaker()
	if len(c.BreakerWaits) > 0 {
		breaker.Waits = c.BreakerWaits
	}
	cfg := delivery.Config{
		Schedule:     delivery.Schedule{Waits: c.Waits, Random: random},
		Breaker:      breaker,
		InFlight:     c.InFlight,
		MostInFlight: delivery.MostInFlight,
		Rate:         to.RatePerSecond,
		Order:        delivery.Order(to.OrderMode),
		Block:        to.OnExhausted == endpoint.ExhaustedBlock,
		Window:       c.Window,
		MaxParked:    c.MaxParked,
		SpillAfter:   spillAfter,
	}
	if waits := to.Schedule(); len(waits) > 0 {
		cfg.Schedule.Waits = waits
	}
	if to.MaxInFlight > 0 {
		cfg.InFlight, cfg.MostInFlight = min(c.InFlight, to.MaxInFlight), to.MaxInFlight
	}
	if to.run.RunID == ledger.Live { // how an endpoint is shows in what goes on now
		cfg.Health = delivery.HealthConfig{Warn: c.Warn, GiveUp: c.GiveUp}
	}
	return cfg
}
