package webhooks_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/webhooks"
)

// TestABacklogIsKnownBeyondWhatIsInMemory: its age exactly, its size about.
func TestABacklogIsKnownBeyondWhatIsInMemory(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.config.Ring = 30
	r := newReceiver(t, nil)
	created := p.endpoint(r.URL, "*")
	d := p.start()
	p.history("before", 2)
	eventually(t, "what was before", func() bool { return r.count() == 6 })
	if _, err := p.endpoints(nil).Pause(t.Context(), webhooks.Request{ID: created.ID, Meta: meta()}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pause", func() bool {
		row, ok, err := d.Ledger.Endpoint(t.Context(), created.ID)
		return err == nil && ok && !row.Active()
	})
	p.history("a", 100)
	var first time.Time
	for event, err := range p.log.ReadStream(t.Context(), "order-a0", 0) {
		if err != nil {
			t.Fatal(err)
		}
		first = event.Created
		break
	}
	var got webhooks.Backlog
	eventually(t, "its backlog", func() bool {
		list, err := d.Backlogs(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		got = list[0]
		return got.Oldest.Equal(first) && got.Events >= 150
	})
	if got.Events > 600 {
		t.Errorf("%d events after the cursor, want about 300", got.Events)
	}

	// One that has nothing in memory, as after every start, knows it too.
	d.stop()
	d = p.start()
	eventually(t, "its backlog after a restart", func() bool {
		list, err := d.Backlogs(t.Context())
		return err == nil && len(list) == 1 && list[0].Oldest.Equal(first) && list[0].Events >= 150 && list[0].Events <= 600
	})
}
