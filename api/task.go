package api

import (
	"context"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/eventstore"
	tasks "github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/projections"
)

type taskBody struct {
	ID            string     `json:"id"`
	Kind          string     `json:"kind" example:"capture"`
	Ref           string     `json:"ref" doc:"What it is about: the id of a shipment, a return, a payment." example:"s1"`
	OpenedAt      time.Time  `json:"opened_at"`
	DueAt         time.Time  `json:"due_at"`
	NextAttemptAt time.Time  `json:"next_attempt_at" doc:"Not before; later than due_at after a failure."`
	Failures      int        `json:"failures" example:"2"`
	Error         string     `json:"error,omitempty" doc:"Of the last attempt."`
	AlarmedAt     *time.Time `json:"alarmed_at,omitempty" doc:"Since when it had failed five times in a row."`
}

type tasksAnswer struct {
	Reached

	Body struct {
		Items []taskBody `json:"items" nullable:"false"`
	}
}

type tasksRequest struct {
	Fresh

	ID string `path:"id" doc:"Id of the order."`
}

type retryTaskRequest struct {
	ID             string `path:"id" doc:"Id of the order."`
	Task           string `path:"task" doc:"Id of the task, from the list."`
	IdempotencyKey string `header:"Idempotency-Key" doc:"Makes a repeat the same request; without it a repeat is harmless too."`
}

type abandonTaskRequest struct {
	ID             string `path:"id" doc:"Id of the order."`
	Task           string `path:"task" doc:"Id of the task, from the list."`
	IdempotencyKey string `header:"Idempotency-Key" doc:"Makes a repeat the same request; without it a repeat is harmless too."`
	Body           struct {
		Reason string `json:"reason" doc:"For the record, a word of small letters, digits, - and _, with at most 4 digits. What people write belongs into a note." maxLength:"64" example:"captured_at_gateway"`
	}
}

func (s *server) taskRoutes() {
	admin := []apikey.Scope{apikey.Admin}
	register(s, route{
		id: "listTasks", method: http.MethodGet, path: "/v1/orders/{id}/tasks", tag: "orders", scopes: []apikey.Scope{apikey.OrdersRead},
		status: http.StatusOK, summary: "List what an order still needs",
		about:   "What follows from requests that were answered: money to be captured, stock to be given back. In the order it was opened; what is done is not there. The last moment may be missing.",
		refuses: []string{kindNotFound, kindBehind},
	}, s.listTasks)
	register(s, route{
		id: "retryTask", method: http.MethodPost, path: "/v1/orders/{id}/tasks/{task}/retry", tag: "orders", scopes: admin,
		status: http.StatusNoContent, summary: "Try a task at once",
		about:   "One that failed, without waiting for its next attempt. Of one that did not fail nothing changes.",
		refuses: []string{kindNotFound, kindConflict, kindKeyInvalid, process.ErrClosed.Code},
	}, s.retryTask)
	register(s, route{
		id: "abandonTask", method: http.MethodPost, path: "/v1/orders/{id}/tasks/{task}/abandon", tag: "orders", scopes: admin,
		status: http.StatusNoContent, summary: "Give a task up",
		about:   "For ever: what it should have done is up to you. The reason stands in the order's timeline.",
		refuses: []string{kindNotFound, kindConflict, kindKeyInvalid, process.ErrClosed.Code, process.ErrInvalid.Code},
		example: map[string]any{"reason": "captured_at_gateway"},
	}, s.abandonTask)
}

func taskID(row projections.TaskRow) string {
	return eventstore.DeriveID("task", row.OrderID, string(row.Task.Kind), row.Task.Ref)
}

func taskBodyOf(row projections.TaskRow) taskBody {
	return taskBody{
		ID: taskID(row), Kind: string(row.Task.Kind), Ref: row.Task.Ref, OpenedAt: row.OpenedAt, DueAt: row.DueAt, NextAttemptAt: row.NextAt,
		Failures: row.Failures, Error: row.Cause, AlarmedAt: timeOrNil(row.Alarmed),
	}
}

func (s *server) listTasks(ctx context.Context, in *tasksRequest) (*tasksAnswer, error) {
	reached, err := s.await(ctx, s.api.Tasks.DB, in.Fresh)
	if err != nil {
		return nil, err
	}
	rows, err := s.api.Tasks.Of(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 { // nothing to do, or unknown
		state, _, err := eventstore.Load(ctx, s.api.Store, order.Decider, in.ID)
		if err != nil {
			return nil, err
		}
		if state.Status == "" {
			return nil, s.refuse(kindNotFound, "there is no order with this id")
		}
	}
	answer := &tasksAnswer{Reached: reached}
	answer.Body.Items = each(rows, taskBodyOf)
	return answer, nil
}

func (s *server) retryTask(ctx context.Context, in *retryTaskRequest) (*struct{}, error) {
	task, err := s.task(ctx, in.ID, in.Task)
	if err != nil {
		return nil, err
	}
	meta, err := s.command(ctx, "retry task "+in.Task, in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return nil, tasks.Operator{Store: s.api.Store}.Retry(ctx, meta, in.ID, task)
}

func (s *server) abandonTask(ctx context.Context, in *abandonTaskRequest) (*struct{}, error) {
	task, err := s.task(ctx, in.ID, in.Task)
	if err != nil {
		return nil, err
	}
	meta, err := s.command(ctx, "abandon task "+in.Task, in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return nil, tasks.Operator{Store: s.api.Store}.Abandon(ctx, meta, in.ID, task, in.Body.Reason)
}

// task finds a task of an order by its id.
func (s *server) task(ctx context.Context, orderID, id string) (process.Task, error) {
	rows, err := s.api.Tasks.Of(ctx, orderID)
	if err != nil {
		return process.Task{}, err
	}
	for _, row := range rows {
		if taskID(row) == id {
			return row.Task, nil
		}
	}
	return process.Task{}, s.refuse(kindNotFound, "the order has no such task, or it is done")
}
