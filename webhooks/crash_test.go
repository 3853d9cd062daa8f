package webhooks_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

func TestCrashesLoseNothingAndKeepTheOrder(t *testing.T) {
	t.Parallel()
	const orders, perOrder, crashes = 40, 10, 12
	r := newReceiver(t, func(http.ResponseWriter, *http.Request, received) int {
		if rand.IntN(15) == 0 { //nolint:gosec // chance, no secret
			return 503
		}
		return 200
	})
	p := newPlatform(t)
	p.config.Owner, p.config.Drain = "the-only-one", time.Millisecond
	p.config.Waits = append(p.config.Waits, p.config.Waits...)
	created := p.endpoint(r.URL, "*")
	r.verifyWith(created.Secret.Text())
	want := map[string][]string{}
	d := p.start()
	written := 0
	for crash := range crashes {
		for until := (crash + 1) * orders * perOrder / crashes; written < until; written++ {
			order := fmt.Sprint("o", written%orders)
			want[order] = append(want[order], p.append(order, eventstore.Revision(written/orders-1), noted{written})...)
		}
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) //nolint:gosec // chance, no secret
		d.crash()
		d = p.start()
	}
	for ; written < orders*perOrder; written++ {
		order := fmt.Sprint("o", written%orders)
		want[order] = append(want[order], p.append(order, eventstore.Revision(written/orders-1), noted{written})...)
	}
	eventually(t, "all deliveries", func() bool { return r.count() >= orders*perOrder })
	if diff := cmp.Diff(want, r.accepted()); diff != "" {
		t.Errorf("first deliveries (-want +got):\n%s", diff)
	}
	bodies, repeats := map[string][]byte{}, 0
	for _, m := range r.all() {
		if known, ok := bodies[m.ID]; ok {
			repeats++
			if !bytes.Equal(known, m.Body) {
				t.Errorf("%s came with two bodies:\n%s\n%s", m.ID, known, m.Body)
			}
		}
		bodies[m.ID] = m.Body
	}
	t.Logf("%d events, %d requests, %d crashes, %d repeats", orders*perOrder, len(r.all()), crashes, repeats)
}

func TestADeletedDatabaseYieldsTheSameMessages(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	p := newPlatform(t)
	p.endpoint(r.URL, "*")
	first := p.start()
	for i := range 5 {
		p.append(fmt.Sprint("o", i), eventstore.NoStream, placed{}, noted{i}, hidden{}, noted{i})
	}
	eventually(t, "all deliveries", func() bool { return r.count() == 15 })
	first.stop()
	before := len(r.all())
	p.loseDatabase()
	p.start()
	eventually(t, "all deliveries again", func() bool { return len(r.all()) == before+15 })
	bodies := map[string]string{}
	for _, m := range r.all() {
		if known, ok := bodies[m.ID]; ok && known != string(m.Body) {
			t.Errorf("%s came with two bodies:\n%s\n%s", m.ID, known, m.Body)
		}
		bodies[m.ID] = string(m.Body)
	}
	if len(bodies) != 15 {
		t.Errorf("%d ids", len(bodies))
	}
}

// loseDatabase deletes everything the dispatcher keeps besides the log.
func (p *platform) loseDatabase() {
	p.tb.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "webhooks.db*"))
	if err != nil || len(files) == 0 {
		p.tb.Fatal(files, err)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			p.tb.Fatal(err)
		}
	}
}

func TestADeletedDatabaseGoesOnFromTheLastCheckpoint(t *testing.T) {
	t.Parallel()
	stubborn := true
	r := newReceiver(t, func(_ http.ResponseWriter, _ *http.Request, m received) int {
		if stubborn && m.Aggregate.ID == "o9" {
			return 500
		}
		return 200
	})
	p := newPlatform(t)
	p.config.CheckpointEvery = 20 * time.Millisecond
	p.config.Waits = []time.Duration{time.Hour}
	created := p.endpoint(r.URL, "*")
	first := p.start()
	for i := range 10 { // o9 is the last, and fails
		p.append(fmt.Sprint("o", i), eventstore.NoStream, placed{}, noted{i})
	}
	waiting := p.append("p", eventstore.NoStream, placed{}) // passes o9, which waits
	eventually(t, "all deliveries but those of o9", func() bool { return r.count() == 19 })
	eventually(t, "a checkpoint before what waits", func() bool {
		var last endpoint.Checkpointed
		for r, err := range p.log.ReadStream(t.Context(), endpoint.CheckpointStream(created.ID), 0) {
			event, decodeErr := r.Decode()
			if err != nil || decodeErr != nil {
				t.Fatal(err, decodeErr)
			}
			last, _ = event.(endpoint.Checkpointed)
		}
		status, err := first.Status(t.Context(), created.ID)
		return err == nil && status.CaughtUp() && status.Parked == 2 && last.Through > 0 && eventstore.Position(last.Through) < status.Through
	})
	time.Sleep(50 * time.Millisecond) // one more round
	first.stop()
	before := len(r.all())
	stubborn = false
	p.loseDatabase()
	p.append("q", eventstore.NoStream, placed{}, noted{1})
	p.start()
	eventually(t, "what had waited, what came after that and what is new", func() bool { return r.count() == 23 && len(r.all()) >= before+5 })
	again := map[string]bool{}
	for _, m := range r.all()[before:] {
		again[m.Aggregate.ID] = true
	}
	// What came after the event that waited is sent again, and nothing before.
	if diff := cmp.Diff(map[string]bool{"o9": true, "p": true, "q": true}, again); diff != "" {
		t.Errorf("sent after the database was lost (-want +got):\n%s", diff)
	}
	ids := map[string]bool{}
	for _, m := range r.all() {
		ids[m.ID] = true
	}
	if len(ids) != 23 || !ids[waiting[0]] {
		t.Errorf("%d ids", len(ids))
	}
}

// TestASeekAfterTheLastCheckpointHolds when the database is lost: what the
// checkpoint says is of before.
func TestASeekAfterTheLastCheckpointHolds(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	r := newReceiver(t, func(http.ResponseWriter, *http.Request, received) int {
		if down.Load() {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	p := newPlatform(t)
	p.config.CheckpointEvery = 20 * time.Millisecond
	p.config.Waits = []time.Duration{time.Hour}
	created := p.endpoint(r.URL, "*")
	first := p.start()
	for i := range 10 {
		p.append(fmt.Sprint("o", i), eventstore.NoStream, placed{})
	}
	eventually(t, "a checkpoint after everything", func() bool {
		status, err := first.Status(t.Context(), created.ID)
		through := uint64(0)
		for r, err := range p.log.ReadStream(t.Context(), endpoint.CheckpointStream(created.ID), 0) {
			event, decodeErr := r.Decode()
			if err != nil || decodeErr != nil {
				t.Fatal(err, decodeErr)
			}
			if last, ok := event.(endpoint.Checkpointed); ok {
				through = last.Through
			}
		}
		return err == nil && status.Delivered == 10 && status.CaughtUp() && through > 0 && r.count() == 10
	})
	first.stop()
	down.Store(true)
	request := func() webhooks.Request { return webhooks.Request{ID: created.ID, Meta: meta()} }
	if _, err := p.endpoints(nil).Pause(t.Context(), request()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.endpoints(nil).Resume(t.Context(), request(), new(eventstore.Position)); err != nil {
		t.Fatal(err)
	}
	p.loseDatabase()
	down.Store(false)
	before := len(r.all())
	p.start()
	eventually(t, "everything once more", func() bool { return len(r.all()) >= before+10 })
}

func TestOneProcessAtATimeServesAnEndpoint(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	p := newPlatform(t)
	p.config.Lease = 600 * time.Millisecond
	created := p.endpoint(r.URL, "*")
	first := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	eventually(t, "a delivery", func() bool { return r.count() == 1 })
	second := p.start()
	owner := func() string {
		s, err := second.Status(t.Context(), created.ID)
		if err != nil {
			return err.Error()
		}
		return s.Owner
	}
	for i := range 30 {
		p.append(fmt.Sprint("p", i), eventstore.NoStream, placed{})
		time.Sleep(20 * time.Millisecond)
	}
	if got := owner(); got != "process-1" {
		t.Errorf("the owner is %s", got)
	}
	first.crash()
	p.append("q", eventstore.NoStream, placed{})
	eventually(t, "the other process to take over", func() bool { return owner() == "process-2" && r.count() == 32 })
}
