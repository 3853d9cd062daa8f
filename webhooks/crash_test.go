package webhooks_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
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
	files, err := filepath.Glob(filepath.Join(p.dir, "webhooks.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
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
