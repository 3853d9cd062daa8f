package webhooks_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// A process that delivers nothing has not read the log: what it says of an
// endpoint must not be that there is nothing to deliver.
func TestTheHeadIsThatOfTheLogWhoeverIsAsked(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := newReceiver(t, nil)
	created := p.endpoint(r.URL, "*")
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	eventually(t, "the delivery", func() bool {
		s, err := d.Status(t.Context(), created.ID)
		return err == nil && r.count() == 1 && s.Delivered == 1
	})
	d.stop()
	p.append("o1", 0, noted{1})
	db := p.database()
	t.Cleanup(func() { _ = db.Close() })
	cfg := p.config
	cfg.Owner = "idle"
	idle := &webhooks.Dispatcher{
		Store: p.log, Feed: p.log.open, End: p.end, Before: p.log.Before, Ledger: &ledger.Ledger{Write: db.Write, Read: db.Read}, Catalogue: p.catalogue, Config: cfg, Logger: p.logger(), Now: time.Now,
	}
	status, err := idle.Status(t.Context(), created.ID)
	if err != nil || status.CaughtUp() || status.Head <= status.Through {
		t.Errorf("status %+v: %v", status, err)
	}
	if lag, err := idle.Lag(t.Context(), created.ID, status.Through); err != nil || lag.Events != 1 {
		t.Errorf("lag %+v: %v", lag, err)
	}
}
