package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/jobs"
	"github.com/waybill-dev/waybill/projections"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// callbackBody says where the end of a job is to be told.
type callbackBody struct {
	URL    string `json:"url" doc:"Where the finished job is posted: https, without user name and fragment." maxLength:"2048" example:"https://shop.example/jobs"`
	Secret string `json:"secret,omitempty" doc:"Signs the callback (Standard Webhooks): whsec_ and the base64 of 32 bytes. Without it the one in the answer does." maxLength:"100"`
}

// startJobBody is the body of a route that starts a job and needs to know
// nothing else.
type startJobBody struct {
	Callback *callbackBody `json:"callback,omitempty" doc:"Where the end of the job is to be told."`
}

// jobBody is a job as it stands.
type jobBody struct {
	ID         string            `json:"id"`
	Kind       string            `json:"kind" example:"customer-export"`
	Status     string            `json:"status" enum:"running,cancelling,succeeded,failed,cancelled"`
	Params     map[string]string `json:"params" doc:"What it is about."`
	Done       int               `json:"done" doc:"In units of the kind's own."`
	Total      int               `json:"total,omitempty" doc:"Missing while it is unknown."`
	Attempts   int               `json:"attempts" doc:"That failed; the job is tried again until it succeeds or is refused."`
	RetryAt    *time.Time        `json:"retry_at,omitempty" doc:"When it is tried again."`
	Result     map[string]any    `json:"result,omitempty" doc:"Once it succeeded."`
	Refusal    *jobRefusal       `json:"refusal,omitempty" doc:"Why it failed."`
	Callback   string            `json:"callback,omitempty" enum:"pending,delivered,given_up" doc:"Whether its end was told."`
	StartedAt  time.Time         `json:"started_at"`
	ChangedAt  time.Time         `json:"changed_at"`
	FinishedAt *time.Time        `json:"finished_at,omitempty"`
}

type jobRefusal struct {
	Code    string `json:"code" doc:"The last part of a type of problem." example:"open-orders"`
	Message string `json:"message"`
}

func jobBodyOf(s job.State) jobBody {
	body := jobBody{
		ID: s.JobID, Kind: s.Kind, Status: string(s.Status), Params: s.Params, Done: s.Done, Total: s.Total, Attempts: s.Attempts,
		Result: s.Result, Callback: string(s.CallbackStatus), StartedAt: s.StartedAt, ChangedAt: s.ChangedAt, FinishedAt: timeOrNil(s.FinishedAt),
	}
	if s.Attempts > 0 && !s.Status.Finished() {
		body.RetryAt = timeOrNil(s.DueAt)
	}
	if s.Status == job.Failed {
		body.Refusal = &jobRefusal{Code: s.Code, Message: s.Message}
	}
	return body
}

// JobDocument is a finished job as its callback tells it: what GET
// /v1/jobs/{id} answers, but for whether it was told.
func JobDocument(s job.State) ([]byte, error) {
	body := jobBodyOf(s)
	body.Callback = ""
	return json.Marshal(body)
}

// jobStartedAnswer is the answer of every route that starts a job.
type jobStartedAnswer struct {
	Location     string `header:"Location"`
	RetryAfter   int    `header:"Retry-After"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         jobStartedBody
}

type jobStartedBody struct {
	jobBody

	CallbackSecret string `json:"callback_secret,omitempty" doc:"Verifies the callback, where none was sent: the same for all jobs of this API key."`
}

type jobAnswer struct {
	RetryAfter int    `header:"Retry-After" doc:"While it is not over."`
	ETag       string `header:"ETag"`
	Body       jobBody
}

type jobRequest struct {
	ID string `path:"id" doc:"Id of the job."`
}

type cancelJobRequest struct {
	ID             string `path:"id" doc:"Id of the job."`
	IdempotencyKey string `header:"Idempotency-Key"`
}

type listJobsRequest struct {
	Paging

	Kind   string `query:"kind" maxLength:"40"`
	Status string `query:"status" maxLength:"40"`
}

type jobListAnswer struct {
	Reached

	Link string `header:"Link"`
	Body jobListBody
}

type jobListBody struct {
	Items []jobSummaryBody `json:"items" nullable:"false"`
	Next  string           `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

type jobSummaryBody struct {
	ID               string     `json:"id"`
	Kind             string     `json:"kind" example:"customer-export"`
	Status           string     `json:"status"`
	Attempts         int        `json:"attempts" doc:"That failed."`
	Callback         string     `json:"callback,omitempty"`
	CallbackAttempts int        `json:"callback_attempts,omitempty" doc:"Of telling its end that failed."`
	StartedAt        time.Time  `json:"started_at"`
	FinishedAt       *time.Time `json:"finished_at,omitempty"`
}

// retryAfter is in how many seconds a look at a job is worth it again.
const retryAfter = 1

func (s *server) jobRoutes() {
	register(s, route{
		id: "listJobs", method: http.MethodGet, path: "/v1/jobs", tag: "jobs", scopes: apikey.Scopes(), status: http.StatusOK,
		summary: "List long jobs", about: "Newest first: those this API key started, or all for scope admin. One of this moment may be missing.",
		refuses: []string{kindBadCursor, kindBehind},
	}, s.listJobs)
	register(s, route{
		id: "getJob", method: http.MethodGet, path: "/v1/jobs/{id}", tag: "jobs", scopes: apikey.Scopes(), status: http.StatusOK,
		summary: "Show where a long job stands", about: "Only to the API key that started it, and to scope admin.", refuses: []string{job.ErrNotFound.Code},
	}, s.getJob)
	register(s, route{
		id: "cancelJob", method: http.MethodPost, path: "/v1/jobs/{id}/cancel", tag: "jobs", scopes: apikey.Scopes(), status: http.StatusAccepted,
		summary: "Ask for a long job to be given up", about: "It stops at its next step, and what it did by then stays. Asking again is harmless.",
		refuses: []string{job.ErrNotFound.Code, job.ErrFinished.Code, job.ErrNotCancellable.Code, kindKeyInvalid},
	}, s.cancelJob)
}

// job returns a job that the caller may see.
func (s *server) job(ctx context.Context, id string) (jobs.Result, error) {
	result, err := s.api.Jobs.Get(ctx, id)
	if caller := callOf(ctx).credential; err == nil && result.State.Owner != caller.KeyID && !caller.May(apikey.Admin) {
		err = job.ErrNotFound
	}
	return result, err
}

func (s *server) getJob(ctx context.Context, in *jobRequest) (*jobAnswer, error) {
	result, err := s.job(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	answer := &jobAnswer{ETag: etag(result.Revision), Body: jobBodyOf(result.State)}
	if !result.State.Status.Finished() {
		answer.RetryAfter = retryAfter
	}
	return answer, nil
}

func (s *server) cancelJob(ctx context.Context, in *cancelJobRequest) (*jobAnswer, error) {
	meta, err := s.command(ctx, "POST /v1/jobs/"+in.ID+"/cancel", in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	if _, err := s.job(ctx, in.ID); err != nil {
		return nil, err
	}
	result, err := s.api.Jobs.Cancel(ctx, meta, in.ID)
	if err != nil {
		return nil, err
	}
	return &jobAnswer{RetryAfter: retryAfter, ETag: etag(result.Revision), Body: jobBodyOf(result.State)}, nil
}

func (s *server) listJobs(ctx context.Context, in *listJobsRequest) (*jobListAnswer, error) {
	filter := projections.JobFilter{Kind: in.Kind, Status: in.Status}
	if caller := callOf(ctx).credential; !caller.May(apikey.Admin) {
		filter.Owner = caller.KeyID
	}
	pages := s.paged("/v1/jobs", in.Paging, map[string]string{"kind": in.Kind, "status": in.Status})
	pages.whose = filter.Owner
	p, err := list[timePlace, projections.JobRow, jobSummaryBody]{
		pages: pages,
		model: s.api.JobList.DB,
		rows: func(ctx context.Context, after *timePlace, limit int) ([]projections.JobRow, error) {
			key := keyOf(after, func(at timePlace) projections.JobKey {
				return projections.JobKey{StartedAt: at.time(), JobID: at.IDs[0]}
			})
			return s.api.JobList.List(ctx, filter, key, limit)
		},
		place: func(r projections.JobRow) timePlace { return placeAt(r.StartedAt, r.JobID) },
		body: func(r projections.JobRow) jobSummaryBody {
			return jobSummaryBody{
				ID: r.JobID, Kind: r.Kind, Status: string(r.Status), Attempts: r.Attempts, Callback: string(r.Callback), StartedAt: r.StartedAt,
				CallbackAttempts: r.CallbackAttempts, FinishedAt: timeOrNil(r.FinishedAt),
			}
		},
	}.read(ctx)
	return &jobListAnswer{Reached: p.Reached, Link: p.Link, Body: jobListBody(p.Body)}, err
}

// startJob starts a job and answers where it can be seen. The request's id
// follows from the command's, so that a repeated request is the same job.
func (s *server) startJob(ctx context.Context, meta eventstore.Metadata, kind string, params map[string]string, body *startJobBody) (*jobStartedAnswer, error) {
	request := jobs.Request{
		JobID: eventstore.DeriveID("job", meta.CommandID), Kind: kind, Params: params, Owner: callOf(ctx).credential.KeyID,
	}
	answer := &jobStartedAnswer{RetryAfter: retryAfter, CacheControl: "no-store"}
	if body != nil && body.Callback != nil {
		secret, err := s.callback(&request, *body.Callback)
		if err != nil {
			return nil, err
		}
		answer.Body.CallbackSecret = secret
	}
	result, err := s.api.Jobs.Start(ctx, meta, request)
	if err != nil {
		return nil, err
	}
	answer.Location, answer.ETag = "/v1/jobs/"+request.JobID, etag(result.Revision)
	answer.Body.jobBody = jobBodyOf(result.State)
	return answer, nil
}

// callback adds to a request where its end is told. It returns the secret that
// the caller has to learn, which is none where the caller named one.
func (s *server) callback(request *jobs.Request, body callbackBody) (secret string, err error) {
	var wrong []domain.Mistake
	for _, m := range s.api.Callbacks.Check(body.URL) {
		m.Pointer = "/callback/url"
		wrong = append(wrong, m)
	}
	own, err := signing.ParseSecret(body.Secret)
	if body.Secret != "" && err != nil {
		wrong = append(wrong, domain.Mistake{Pointer: "/callback/secret", Code: "invalid-secret", Detail: "a secret is whsec_ and the base64 of 32 bytes"})
	}
	if len(wrong) > 0 {
		return "", s.refuse(kindInvalid, "the callback cannot be called").because(wrong...)
	}
	request.Callback = &job.Callback{URL: body.URL}
	if body.Secret != "" {
		request.Callback.SealedSecret, err = s.api.Callbacks.Seal(request.JobID, own)
		return "", err
	}
	derived, err := s.api.Callbacks.SecretOf(request.Owner)
	return derived.Text(), err
}

// jobRefusals are the problems of every route that starts a job.
func jobRefusals(more ...string) []string {
	return slices.Concat([]string{domain.ErrKeyReused.Code, kindKeyMissing, kindKeyInvalid, kindInvalid}, more)
}
