package api_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/jobs"
)

func TestJobsAreShownToWhomTheyBelong(t *testing.T) {
	t.Parallel()
	var service *jobs.Service
	p := startWith(t, func(a *api.API) {
		service = jobs.New(a.Store, time.Now, jobs.Kind{Name: "count", Cancellable: true}, jobs.Kind{Name: "erase"})
		a.Jobs = service
	})
	mine, other := p.key(apikey.OrdersRead), p.key(apikey.OrdersRead)
	owner, err := p.keys.Authenticate(t.Context(), mine)
	if err != nil {
		t.Fatal(err)
	}
	for id, kind := range map[string]string{"j1": "count", "j2": "erase"} {
		if _, err := service.Start(t.Context(), eventstore.Metadata{CommandID: id}, jobs.Request{JobID: id, Kind: kind, Owner: owner.KeyID}); err != nil {
			t.Fatal(err)
		}
	}
	get := func(path, key string) answer { return p.do(request{method: http.MethodGet, path: path, key: key}) }
	shown := get("/v1/jobs/j1", mine).expect(http.StatusOK)
	if shown.text("status") != "running" || shown.header.Get("Retry-After") == "" || shown.header.Get("ETag") != `"0"` {
		t.Errorf("the job is shown as %s %v", shown.body, shown.header)
	}
	get("/v1/jobs/j1", "").expect(http.StatusOK)
	get("/v1/jobs/j1", other).problem(http.StatusNotFound, "job-not-found")
	get("/v1/jobs/j3", mine).problem(http.StatusNotFound, "job-not-found")
	get("/v1/jobs/j1", "-").problem(http.StatusUnauthorized, "unauthorized")
	cancel := func(id, key string) answer {
		return p.do(request{method: http.MethodPost, path: "/v1/jobs/" + id + "/cancel", key: key})
	}
	cancel("j1", other).problem(http.StatusNotFound, "job-not-found")
	if got := cancel("j1", mine).expect(http.StatusAccepted).text("status"); got != "cancelling" {
		t.Errorf("a cancelled job is %s", got)
	}
	cancel("j1", mine).expect(http.StatusAccepted)
	cancel("j2", mine).problem(http.StatusConflict, "job-not-cancellable")

	eventually(t, "listed", func() bool { return len(items(t, get("/v1/jobs", mine))) == 2 })
	if n := len(items(t, get("/v1/jobs", other))); n != 0 {
		t.Errorf("somebody else sees %d jobs", n)
	}
	first := get("/v1/jobs?limit=1", mine).expect(http.StatusOK)
	next := first.text("next_cursor")
	if second := items(t, get("/v1/jobs?limit=1&cursor="+next, mine)); len(second) != 1 || first.header.Get("Link") == "" {
		t.Errorf("the second page has %v", second)
	}
	get("/v1/jobs?limit=1&cursor="+next, other).problem(http.StatusBadRequest, "bad-cursor")
	if n := len(items(t, get("/v1/jobs?kind=erase&status=running", ""))); n != 1 {
		t.Errorf("%d jobs are erasing", n)
	}
	if _, err := service.Get(context.WithoutCancel(t.Context()), "j2"); err != nil {
		t.Error(err)
	}
	if document, err := api.JobDocument(job.State{JobID: "j1", Status: job.Succeeded, CallbackStatus: job.CallbackPending}); err != nil || len(document) == 0 {
		t.Error(err)
	}
}

func items(t *testing.T, a answer) []any {
	t.Helper()
	list, ok := a.expect(http.StatusOK).json()["items"].([]any)
	if !ok {
		t.Fatalf("%s has no items", a.body)
	}
	return list
}
