package job

import "time"

// Command is what may be asked of a job.
//
//sumtype:decl
type Command interface{ command() }

// Start begins a job. Params say what is to be done and hold no personal data.
type Start struct {
	JobID       string
	Kind        string
	Params      map[string]string
	Owner       string
	Cancellable bool
	Callback    *Callback
	At          time.Time
}

// Progress says how far the job is.
type Progress struct {
	Done, Total int
	Mark        string
	At          time.Time
}

// Postpone says that an attempt, counted from 1, failed and when there will be
// another one.
type Postpone struct {
	Attempt int
	Cause   string
	RetryAt time.Time
	At      time.Time
}

// Succeed ends the job with its result.
type Succeed struct {
	Result map[string]any
	At     time.Time
}

// Fail ends the job without one: a rule refused it.
type Fail struct {
	Code, Message string
	At            time.Time
}

// RequestCancel asks for the job to be given up.
type RequestCancel struct{ At time.Time }

// Cancel ends the job because that was asked for.
type Cancel struct{ At time.Time }

// NoteDelivered says that the callback was delivered.
type NoteDelivered struct {
	HTTPStatus int
	At         time.Time
}

// NoteUndelivered says that an attempt of the callback, counted from 1, failed.
type NoteUndelivered struct {
	Attempt    int
	HTTPStatus int
	Cause      string
	RetryAt    time.Time // zero: it is given up
	At         time.Time
}

func (Start) command()           {}
func (Progress) command()        {}
func (Postpone) command()        {}
func (Succeed) command()         {}
func (Fail) command()            {}
func (RequestCancel) command()   {}
func (Cancel) command()          {}
func (NoteDelivered) command()   {}
func (NoteUndelivered) command() {}
