package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// StartJob says where the end of a long job is to be told, if anywhere.
type StartJob struct {
	Callback *JobCallback `json:"callback,omitempty"`
}

// JobCallback is an address that is posted to. Without a secret the one in the
// answer signs.
type JobCallback struct {
	URL    string `json:"url"`
	Secret string `json:"secret,omitempty"`
}

// Job is a long job as it stands.
type Job struct {
	ID       string            `json:"id"`
	Kind     string            `json:"kind"`
	Status   string            `json:"status"`
	Params   map[string]string `json:"params"`
	Done     int               `json:"done"`
	Total    int               `json:"total"`
	Attempts int               `json:"attempts"`
	Result   map[string]any    `json:"result"`
	Refusal  *Refusal          `json:"refusal"`
	Callback string            `json:"callback"`
	// CallbackAttempts are those that failed; lists say it.
	CallbackAttempts int `json:"callback_attempts"`
	// RetryAt and FinishedAt are zero where they do not apply.
	RetryAt    time.Time `json:"retry_at"`
	StartedAt  time.Time `json:"started_at"`
	ChangedAt  time.Time `json:"changed_at"`
	FinishedAt time.Time `json:"finished_at"`
}

// Refusal is the rule that said no.
type Refusal struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Errors  []Mistake `json:"errors"`
}

// StartedJob is a job that was begun, or was before.
type StartedJob struct {
	Job

	CallbackSecret string `json:"callback_secret"`
}

// Job returns a job.
func (c *Client) Job(ctx context.Context, id string) (Job, error) {
	var job Job
	_, err := c.do(ctx, http.MethodGet, "/v1/jobs/"+url.PathEscape(id), "", nil, &job)
	return job, err
}

// CancelJob asks for a job to be given up.
func (c *Client) CancelJob(ctx context.Context, id string) (Job, error) {
	var job Job
	_, err := c.do(ctx, http.MethodPost, "/v1/jobs/"+url.PathEscape(id)+"/cancel", "", nil, &job)
	return job, err
}

// JobPage is one page of a list of jobs, of which not everything is told.
type JobPage struct {
	Jobs []Job  `json:"items"`
	Next string `json:"next_cursor"`
}

// Jobs lists jobs by the query parameters of GET /v1/jobs.
func (c *Client) Jobs(ctx context.Context, query url.Values) (JobPage, error) {
	var page JobPage
	_, err := c.do(ctx, http.MethodGet, "/v1/jobs?"+query.Encode(), "", nil, &page)
	return page, err
}

func (c *Client) startJob(ctx context.Context, path, key string, in StartJob) (StartedJob, error) {
	var job StartedJob
	_, err := c.do(ctx, http.MethodPost, path, key, in, &job)
	return job, err
}
