package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/gateways/warehouse"
	"github.com/waybill-dev/waybill/gateways/warehouse/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func job(id string) warehouse.Job {
	return warehouse.Job{
		RequestID: id, OrderID: "o", OrderNumber: "100001", Location: "main", ShipTo: &warehouse.Address{Line1: "1 High Street", City: "Leeds", Country: "GB"},
		Lines: []warehouse.Line{{LineID: "1", SKU: "MUG-1", Title: "Mug", Quantity: 2}},
	}
}

func listen(t *testing.T, ledger string) *sandbox.Server {
	t.Helper()
	s, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Config{Ledger: ledger})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(t *testing.T, s *sandbox.Server) {
	t.Helper()
	if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func start(t *testing.T) (*sandbox.Server, *warehouse.Client) {
	t.Helper()
	s := listen(t, filepath.Join(t.TempDir(), "jobs.db"))
	t.Cleanup(func() { stop(t, s) })
	return s, connect(t, s)
}

func connect(t *testing.T, s *sandbox.Server) *warehouse.Client {
	t.Helper()
	c := warehouse.Connect(warehouse.Config{URL: s.URL(), Timeout: 200 * time.Millisecond, Failures: 3, Pause: time.Minute})
	t.Cleanup(c.Close)
	return c
}

func status(t *testing.T, s *sandbox.Server, id string) string {
	t.Helper()
	jobs, err := s.Jobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if j.RequestID == id {
			return fmt.Sprint(j.Status, " ", j.Asked)
		}
	}
	return "unknown"
}

func TestAJobIsDoneOnceEvenAfterARestart(t *testing.T) {
	t.Parallel()
	ledger := filepath.Join(t.TempDir(), "jobs.db")
	for range 2 {
		s := listen(t, ledger)
		if err := connect(t, s).Submit(t.Context(), job("j")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Pick(t.Context(), "j"); err != nil {
			t.Fatal(err)
		}
		stop(t, s)
	}
	s := listen(t, ledger)
	defer stop(t, s)
	jobs, err := s.Jobs(t.Context())
	if err != nil || len(jobs) != 1 || jobs[0].Asked != 2 || jobs[0].Status != sandbox.Picked || jobs[0].Lines[0] != job("j").Lines[0] {
		t.Errorf("%+v, %v", jobs, err)
	}
}

func TestStopping(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	ask := func(id string, want warehouse.Stopped) {
		t.Helper()
		if got, err := c.Stop(t.Context(), id, 1); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", id, got, err, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Submit(t.Context(), job("a")))
	ask("a", warehouse.Done)
	ask("a", warehouse.Done)
	must(c.Submit(t.Context(), job("a")))
	if j, err := s.Pick(t.Context(), "a"); err != nil || j.Status != sandbox.Stopped {
		t.Errorf("a stopped job is picked: %+v, %v", j, err)
	}
	must(c.Resume(t.Context(), "a", 2))
	must(c.Resume(t.Context(), "a", 2))
	_, err := s.Pick(t.Context(), "a")
	must(err)
	ask("a", warehouse.Picked)
	must(c.Resume(t.Context(), "a", 2))
	if got := status(t, s, "a"); got != "picked 2" {
		t.Errorf("the job is %s", got)
	}
	ask("late", warehouse.Done)
	must(c.Submit(t.Context(), job("late")))
	if got := status(t, s, "late"); got != "stopped 1" {
		t.Errorf("a job that was stopped before it came is %s", got)
	}
	must(c.Resume(t.Context(), "nobody knows", 2))
}

func TestAWarehouseThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how  sandbox.Behaviour
		done string
	}{
		"late":    {sandbox.Behaviour{Delay: time.Minute}, "submitted 3"},
		"failing": {sandbox.Behaviour{Fail: true}, "unknown"},
		"away":    {sandbox.Behaviour{Away: true}, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, client := start(t)
			s.Behave(c.how)
			for range 3 {
				if err := client.Submit(t.Context(), job("j")); !errors.Is(err, warehouse.ErrAway) {
					t.Errorf("got %v", err)
				}
			}
			s.Behave(sandbox.Behaviour{})
			if _, err := client.Stop(t.Context(), "j", 1); !errors.Is(err, warehouse.ErrAway) {
				t.Errorf("it is asked again at once: %v", err)
			}
			if got := status(t, s, "j"); got != c.done {
				t.Errorf("the job is %s, want %s", got, c.done)
			}
		})
	}
}

// Whoever stops a job and whoever picks it cannot both be told that they did.
func TestAJobIsPickedOrStopped(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	for i := range 30 {
		id := fmt.Sprint("j", i)
		if err := c.Submit(t.Context(), job(id)); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var picked sandbox.Job
		var pick error
		wg.Go(func() { picked, pick = s.Pick(t.Context(), id) })
		stopped, err := c.Stop(t.Context(), id, 1)
		wg.Wait()
		if err != nil || pick != nil || (stopped == warehouse.Done) == (picked.Status == sandbox.Picked) {
			t.Errorf("%s: stopped %q, %v; picked %q, %v", id, stopped, err, picked.Status, pick)
		}
	}
}

// A call that is late does not undo what was decided after it.
func TestALateDecisionChangesNothing(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	if err := c.Submit(t.Context(), job("j")); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		stop     bool
		revision int
		want     string
	}{{true, 3, "stopped 1"}, {false, 2, "stopped 1"}, {false, 4, "submitted 1"}, {true, 3, "submitted 1"}, {true, 1, "submitted 1"}, {true, 5, "stopped 1"}} {
		var err error
		if step.stop {
			_, err = c.Stop(t.Context(), "j", step.revision)
		} else {
			err = c.Resume(t.Context(), "j", step.revision)
		}
		late := step.stop && step.want == "submitted 1"
		if got := status(t, s, "j"); got != step.want || (err != nil) != late {
			t.Errorf("step %d: the job is %s, want %s; %v", i, got, step.want, err)
		}
	}
}

func parcel(id string, quantity int) warehouse.Parcel {
	return warehouse.Parcel{ID: id, Carrier: "dhl", Tracking: "T-" + id, Lines: []warehouse.Units{{LineID: "1", Quantity: quantity}}}
}

func TestLookingForAJob(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	look := func(want warehouse.State) {
		t.Helper()
		if got, err := c.Look(t.Context(), "j"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	for range 5 { // more than would count as failures
		if _, err := c.Look(t.Context(), "j"); !errors.Is(err, warehouse.ErrUnknown) {
			t.Fatalf("a job that never came: %v", err)
		}
	}
	if err := c.Submit(t.Context(), job("j")); err != nil {
		t.Fatal(err)
	}
	look(warehouse.State{RequestID: "j", Status: sandbox.Submitted})
	for range 2 {
		if _, err := s.Pack(t.Context(), "j", parcel("a", 1)); err != nil {
			t.Fatal(err)
		}
	}
	for _, wrong := range []warehouse.Parcel{parcel("b", 2), parcel("b", 0), parcel("", 1), {ID: "b"}} {
		if _, err := s.Pack(t.Context(), "j", wrong); err == nil {
			t.Errorf("%+v left", wrong)
		}
	}
	if _, err := s.Refuse(t.Context(), "j", "address"); err != nil {
		t.Fatal(err)
	}
	refused := &warehouse.Refusal{ID: "j", Reason: "address"}
	look(warehouse.State{RequestID: "j", Status: sandbox.Submitted, Parcels: []warehouse.Parcel{parcel("a", 1)}, Refused: refused})
	if _, err := s.Pack(t.Context(), "j", parcel("b", 1)); err != nil {
		t.Fatal(err)
	}
	look(warehouse.State{RequestID: "j", Status: sandbox.Picked, Parcels: []warehouse.Parcel{parcel("a", 1), parcel("b", 1)}, Refused: refused})
}

func TestAnAnswerAboutAnotherJobIsNone(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"request_id": "other", "status": "picked"}`))
	}))
	defer s.Close()
	c := warehouse.Connect(warehouse.Config{URL: s.URL})
	defer c.Close()
	if _, err := c.Look(t.Context(), "j"); !errors.Is(err, warehouse.ErrAway) {
		t.Error(err)
	}
}
