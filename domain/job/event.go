package job

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Event is what can have happened to a job.
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// JobStarted is recorded once, first in every job's stream. Consumers may rely
// on Params holding references and no personal data.
type JobStarted struct {
	JobID       string            `json:"job_id"`
	Kind        string            `json:"kind"`
	Params      map[string]string `json:"params"`
	Owner       string            `json:"owner"` // id of the API key that asked for it
	Cancellable bool              `json:"cancellable"`
	Callback    *Callback         `json:"callback,omitempty"`
	StartedAt   time.Time         `json:"started_at"`
}

// JobProgressed is recorded now and then while the job runs. Done and Total
// count units of the kind's own; Total is 0 while it is unknown.
type JobProgressed struct {
	JobID string    `json:"job_id"`
	Done  int       `json:"done"`
	Total int       `json:"total"`
	Mark  string    `json:"mark,omitempty"` // where to go on after an interruption
	At    time.Time `json:"at"`
}

// JobAttemptFailed is recorded when something failed that may succeed later:
// the job is tried again at RetryAt.
type JobAttemptFailed struct {
	JobID   string    `json:"job_id"`
	Attempt int       `json:"attempt"`
	Cause   string    `json:"cause"`
	RetryAt time.Time `json:"retry_at"`
	At      time.Time `json:"at"`
}

// JobSucceeded is recorded when the job is done. Result holds references and
// counts, and no personal data.
type JobSucceeded struct {
	JobID  string         `json:"job_id"`
	Result map[string]any `json:"result"`
	At     time.Time      `json:"at"`
}

// JobFailed is recorded when a rule refused the job: it is not tried again.
type JobFailed struct {
	JobID   string    `json:"job_id"`
	Code    string    `json:"code"`
	Message string    `json:"message"`
	At      time.Time `json:"at"`
}

// JobCancelRequested is recorded when somebody asked for the job to be given
// up. It may still succeed, if it was done already.
type JobCancelRequested struct {
	JobID string    `json:"job_id"`
	At    time.Time `json:"at"`
}

// JobCancelled is recorded when the job was given up.
type JobCancelled struct {
	JobID string    `json:"job_id"`
	At    time.Time `json:"at"`
}

// JobCallbackDelivered is recorded once, when the callback's receiver has
// accepted the finished job.
type JobCallbackDelivered struct {
	JobID      string    `json:"job_id"`
	HTTPStatus int       `json:"http_status"`
	At         time.Time `json:"at"`
}

// JobCallbackFailed is recorded for each attempt of the callback that failed.
// Final says that it was the last one; otherwise there is a RetryAt. Schema 1
// had no Final: without retry_at it was the last one.
type JobCallbackFailed struct {
	JobID      string    `json:"job_id"`
	Attempt    int       `json:"attempt"`
	HTTPStatus int       `json:"http_status,omitempty"`
	Cause      string    `json:"cause"`
	RetryAt    time.Time `json:"retry_at,omitzero"`
	Final      bool      `json:"final"`
	At         time.Time `json:"at"`
}

// EventName implements [domain.Event].
func (JobStarted) EventName() string { return "JobStarted" }

// EventName implements [domain.Event].
func (JobProgressed) EventName() string { return "JobProgressed" }

// EventName implements [domain.Event].
func (JobAttemptFailed) EventName() string { return "JobAttemptFailed" }

// EventName implements [domain.Event].
func (JobSucceeded) EventName() string { return "JobSucceeded" }

// EventName implements [domain.Event].
func (JobFailed) EventName() string { return "JobFailed" }

// EventName implements [domain.Event].
func (JobCancelRequested) EventName() string { return "JobCancelRequested" }

// EventName implements [domain.Event].
func (JobCancelled) EventName() string { return "JobCancelled" }

// EventName implements [domain.Event].
func (JobCallbackDelivered) EventName() string { return "JobCallbackDelivered" }

// EventName implements [domain.Event].
func (JobCallbackFailed) EventName() string { return "JobCallbackFailed" }

func (JobStarted) event()           {}
func (JobProgressed) event()        {}
func (JobAttemptFailed) event()     {}
func (JobSucceeded) event()         {}
func (JobFailed) event()            {}
func (JobCancelRequested) event()   {}
func (JobCancelled) event()         {}
func (JobCallbackDelivered) event() {}
func (JobCallbackFailed) event()    {}

// EventTypes describes every stored event of this package.
func EventTypes() []domain.EventType {
	return append(domain.EventTypes(
		JobStarted{}, JobProgressed{}, JobAttemptFailed{}, JobSucceeded{}, JobFailed{}, JobCancelRequested{}, JobCancelled{},
		JobCallbackDelivered{},
	), domain.EventType{Zero: JobCallbackFailed{}, Upcasters: []domain.Upcaster{callbackFailed2}})
}

// callbackFailed2 says in so many words whether it was the last attempt, which
// a missing retry_at did before.
func callbackFailed2(data json.RawMessage) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	_, again := fields["retry_at"]
	fields["final"] = json.RawMessage(strconv.FormatBool(!again))
	return json.Marshal(fields)
}
