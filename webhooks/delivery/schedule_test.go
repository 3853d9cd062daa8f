package delivery_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/webhooks/delivery"
)

func TestADeliveryIsTriedForThreeDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.Schedule = delivery.Schedule{Waits: delivery.DefaultWaits()}
		p := delivery.NewPlan(cfg, 0, nil)
		take(p, "a")
		start, attempts := time.Now(), 0
		for at := p.Wake(); !at.IsZero(); at = p.Wake() {
			time.Sleep(time.Until(at))
			job := next(t, p, time.Now())
			if attempts++; job.Attempt != attempts {
				t.Errorf("attempt %d says it is %d", attempts, job.Attempt)
			}
			p.Done(job, answer(500), time.Now())
		}
		if took := time.Since(start); attempts != 12 || took.Round(time.Minute) != 75*time.Hour+43*time.Minute {
			t.Errorf("%d attempts within %s", attempts, took)
		}
		if c, _ := p.Changes(); len(c.Parked) != 1 || !c.Parked[0].Dead {
			t.Errorf("changes %+v", c)
		}
	})
}
