package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/eventstore"
)

func TestAnOperatorSeesRetriesAndGivesUpTasks(t *testing.T) {
	t.Parallel()
	p := start(t)
	record := func(stream string, e domain.Event) string {
		t.Helper()
		id := uuid.New()
		if _, err := p.store.Append(t.Context(), stream, eventstore.Any, eventstore.NewEvent{ID: id, Event: e}); err != nil {
			t.Fatal(err)
		}
		return id.String()
	}
	task := process.Task{Kind: process.Refund, Ref: "r"}
	task.OpenedBy = record("order-o", order.OrderRefundRequested{OrderID: "o", RefundID: "r"})
	later := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	record("orderpm-o", process.ProcessTaskFailed{OrderID: "o", Task: task, Attempt: 1, Cause: "no answer", RetryAt: later})
	var item map[string]any
	list := func(what string, is func() bool) {
		t.Helper()
		eventually(t, what, func() bool {
			item = nil
			answer := p.get("/v1/orders/o/tasks")
			if answer.status != http.StatusOK {
				return what == "gone"
			}
			if items, _ := answer.json()["items"].([]any); len(items) == 1 {
				item, _ = items[0].(map[string]any)
			}
			return is()
		})
	}
	list("failing", func() bool { return item["failures"] == 1.0 })
	if item["kind"] != "refund" || item["ref"] != "r" || item["error"] != "no answer" || item["next_attempt_at"] != later.Format(time.RFC3339) {
		t.Errorf("listed as %v", item)
	}
	path := fmt.Sprintf("/v1/orders/o/tasks/%s/", item["id"])
	read := p.key(apikey.OrdersRead, apikey.OrdersWrite)
	p.do(request{method: http.MethodPost, path: path + "retry", key: read}).problem(http.StatusForbidden, "forbidden")
	p.do(request{method: http.MethodPost, path: "/v1/orders/o/tasks/x/retry"}).problem(http.StatusNotFound, "not-found")
	for range 2 {
		p.do(request{method: http.MethodPost, path: path + "retry"}).expect(http.StatusNoContent)
	}
	list("due at once", func() bool { return item["next_attempt_at"] == item["due_at"] })
	p.post(path+"abandon", `{"reason": ""}`).problem(http.StatusUnprocessableEntity, "task-invalid")
	p.post(path+"abandon", `{"reason": "paid_by_hand"}`).expect(http.StatusNoContent)
	list("gone", func() bool { return item == nil })
	p.post(path+"abandon", `{"reason": "paid_by_hand"}`).problem(http.StatusNotFound, "not-found")
	var names []string
	for recorded, err := range p.store.ReadStream(t.Context(), "orderpm-o", 0) {
		if err != nil {
			t.Fatal(err)
		}
		meta, err := recorded.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, recorded.Type+" "+meta.Actor.Type)
	}
	want := []string{"ProcessTaskFailed ", "ProcessTaskRetried api_key", "ProcessTaskAbandoned api_key"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("on record (-want +got):\n%s", diff)
	}
}
