package webhooks

import (
	"time"

	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// spillAfter is how long one answer may hold up the cursor.
const spillAfter = 250 * time.Millisecond

// plan is how deliveries to an endpoint are planned.
func (c *Config) plan(_ ledger.Endpoint, random func() float64) delivery.Config {
	breaker := delivery.DefaultBreaker()
	if len(c.BreakerWaits) > 0 {
		breaker.Waits = c.BreakerWaits
	}
	return delivery.Config{
		Schedule:     delivery.Schedule{Waits: c.Waits, Random: random},
		Breaker:      breaker,
		Health:       delivery.HealthConfig{Warn: c.Warn, GiveUp: c.GiveUp},
		InFlight:     c.InFlight,
		MostInFlight: delivery.MostInFlight,
		Window:       c.Window,
		MaxParked:    c.MaxParked,
		SpillAfter:   spillAfter,
	}
}
