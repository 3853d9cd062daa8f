package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Projection is where a read model stands.
type Projection struct {
	Name           string              `json:"name"`
	Version        string              `json:"version"`
	Position       int64               `json:"position"`
	HeadPosition   int64               `json:"head_position"`
	LagEvents      int                 `json:"lag_events"`
	LagMore        bool                `json:"lag_more"`
	LagSeconds     float64             `json:"lag_seconds"`
	AppliedAt      time.Time           `json:"applied_at"`
	Events         int64               `json:"events"`
	PerSecond      float64             `json:"per_second"`
	BlockedStreams int                 `json:"blocked_streams"`
	Owner          string              `json:"owner,omitempty"`
	Parts          []ProjectionPart    `json:"parts,omitempty"` // none where it is whole
	Versions       []ProjectionVersion `json:"versions"`
	Rebuild        *Rebuild            `json:"rebuild,omitempty"`
}

// ProjectionPart is a part of a read model that several processes bring forward.
type ProjectionPart struct {
	Number    int       `json:"number"`
	Owner     string    `json:"owner,omitempty"` // the process that has it
	Position  int64     `json:"position"`
	AppliedAt time.Time `json:"applied_at"`
	Events    int64     `json:"events"`
}

// ProjectionVersion is one of the databases of a read model.
type ProjectionVersion struct {
	Version   string    `json:"version"`
	State     string    `json:"state"`
	Since     time.Time `json:"since"`
	KeepUntil time.Time `json:"keep_until"`
}

// StartRebuild says how to build a read model anew.
type StartRebuild struct {
	Verify            bool `json:"verify,omitempty"`
	AcceptDifferences bool `json:"accept_differences,omitempty"`
	Rate              int  `json:"rate,omitempty"`
}

// Rebuild is a rebuild that goes on or is over.
type Rebuild struct {
	ID              string      `json:"id"`
	Projection      string      `json:"projection"`
	Version         string      `json:"version"`
	Kind            string      `json:"kind"`
	State           string      `json:"state"`
	Paused          bool        `json:"paused,omitempty"`
	Ended           bool        `json:"ended"`
	Error           string      `json:"error,omitempty"`
	Progress        float64     `json:"progress"`
	Events          int64       `json:"events"`
	Seconds         float64     `json:"seconds"`
	EventsPerSecond float64     `json:"events_per_second"`
	LeftSeconds     float64     `json:"left_seconds,omitempty"`
	Equal           bool        `json:"equal"`
	Swapped         bool        `json:"swapped"`
	Compared        *Comparison `json:"compared,omitempty"`
	RequestedBy     string      `json:"requested_by"`
	RequestedAt     time.Time   `json:"requested_at"`
	EndedAt         time.Time   `json:"ended_at,omitzero"`
}

// Comparison is what two versions of a read model have in common, both as they
// were at one position of the log.
type Comparison struct {
	With     string            `json:"with"`
	Position int64             `json:"position"`
	Equal    bool              `json:"equal"`
	Tables   []TableComparison `json:"tables"`
	Blocked  []string          `json:"blocked,omitempty"`
}

// TableComparison is what a table of two versions has in common: pairs are of
// the live version and of the new one.
type TableComparison struct {
	Table     string                `json:"table"`
	Rows      [2]int64              `json:"rows"`
	Sums      map[string][2]float64 `json:"sums,omitempty"`
	Checksums [2]string             `json:"checksums"`
	Different int64                 `json:"different"`
	Examples  []RowDifference       `json:"examples,omitempty"`
	OnlyLive  []string              `json:"only_live,omitempty"`
	OnlyNew   []string              `json:"only_new,omitempty"`
}

// RowDifference is a row that is not the same in both versions.
type RowDifference struct {
	Key  map[string]string `json:"key"`
	Live map[string]string `json:"live,omitempty"`
	New  map[string]string `json:"new,omitempty"`
}

// BlockedStream is a stream with an event that a read model cannot apply.
type BlockedStream struct {
	Stream        string          `json:"stream"`
	Revision      int64           `json:"revision"`
	EventID       string          `json:"event_id"`
	EventType     string          `json:"event_type"`
	RecordedAt    time.Time       `json:"recorded_at"`
	Data          json.RawMessage `json:"data"`
	Error         string          `json:"error"`
	Attempts      int             `json:"attempts"`
	Since         time.Time       `json:"since"`
	NextAttemptAt time.Time       `json:"next_attempt_at"`
	Waiting       int             `json:"waiting"`
}

// RepairEvent is a decision about the event that blocks a stream. Data is that
// of an edited copy.
type RepairEvent struct {
	Stream   string          `json:"stream"`
	Revision int64           `json:"revision"`
	Data     json.RawMessage `json:"data,omitempty"`
	Reason   string          `json:"reason"`
	DryRun   bool            `json:"dry_run,omitempty"`
}

// RepairOutcome is what came of it, or would come of it.
type RepairOutcome struct {
	Stream   string `json:"stream"`
	DryRun   bool   `json:"dry_run,omitempty"`
	Blocked  bool   `json:"blocked"`
	Revision int64  `json:"revision,omitempty"`
	Error    string `json:"error,omitempty"`
	Applied  int    `json:"applied,omitempty"`
}

// Repair is a decision on record.
type Repair struct {
	Stream   string          `json:"stream"`
	Revision int64           `json:"revision"`
	Kind     string          `json:"kind"`
	EventID  string          `json:"event_id"`
	Data     json.RawMessage `json:"data,omitempty"`
	Error    string          `json:"error"`
	Reason   string          `json:"reason"`
	By       string          `json:"by"`
	At       time.Time       `json:"at"`
}

func projectionPath(name, more string) string {
	return "/admin/projections/" + url.PathEscape(name) + more
}

// Projections lists where read models stand.
func (c *Client) Projections(ctx context.Context) ([]Projection, error) {
	return items[Projection](ctx, c, "/admin/projections")
}

// Projection returns where a read model stands.
func (c *Client) Projection(ctx context.Context, name string) (p Projection, err error) {
	_, err = c.do(ctx, http.MethodGet, projectionPath(name, ""), "", nil, &p)
	return p, err
}

// StartRebuild begins to build a read model anew.
func (c *Client) StartRebuild(ctx context.Context, name, key string, how StartRebuild) (Rebuild, error) {
	return c.rebuild(ctx, http.MethodPost, projectionPath(name, "/rebuild"), key, how)
}

// Rebuild returns the last rebuild of a read model.
func (c *Client) Rebuild(ctx context.Context, name string) (Rebuild, error) {
	return c.rebuild(ctx, http.MethodGet, projectionPath(name, "/rebuild"), "", nil)
}

// PauseRebuild stops a rebuild where it is.
func (c *Client) PauseRebuild(ctx context.Context, name string) (Rebuild, error) {
	return c.rebuild(ctx, http.MethodPost, projectionPath(name, "/rebuild/pause"), "", nil)
}

// ResumeRebuild lets a paused rebuild go on.
func (c *Client) ResumeRebuild(ctx context.Context, name string) (Rebuild, error) {
	return c.rebuild(ctx, http.MethodPost, projectionPath(name, "/rebuild/resume"), "", nil)
}

// CancelRebuild ends a rebuild and throws away what it made.
func (c *Client) CancelRebuild(ctx context.Context, name string) (Rebuild, error) {
	return c.rebuild(ctx, http.MethodPost, projectionPath(name, "/rebuild/cancel"), "", nil)
}

// AcceptRebuild swaps in what a rebuild has made although it is not equal.
func (c *Client) AcceptRebuild(ctx context.Context, name string) (Rebuild, error) {
	return c.rebuild(ctx, http.MethodPost, projectionPath(name, "/rebuild/accept"), "", nil)
}

// RevertProjection goes back to the version that was live before.
func (c *Client) RevertProjection(ctx context.Context, name, key string) (Rebuild, error) {
	return c.rebuild(ctx, http.MethodPost, projectionPath(name, "/back"), key, nil)
}

func (c *Client) rebuild(ctx context.Context, method, path, key string, in any) (r Rebuild, err error) {
	_, err = c.do(ctx, method, path, key, in, &r)
	return r, err
}

// BlockedStreams lists what a read model cannot apply.
func (c *Client) BlockedStreams(ctx context.Context, name string) ([]BlockedStream, error) {
	return items[BlockedStream](ctx, c, projectionPath(name, "/blocked"))
}

// RetryBlockedStream tries a blocked stream at once, or on trial.
func (c *Client) RetryBlockedStream(ctx context.Context, name, stream string, dry bool) (o RepairOutcome, err error) {
	_, err = c.do(ctx, http.MethodPost, projectionPath(name, "/blocked/retry"), "", map[string]any{"stream": stream, "dry_run": dry}, &o)
	return o, err
}

// EditBlockedEvent applies an edited copy in the place of an event.
func (c *Client) EditBlockedEvent(ctx context.Context, name string, repair RepairEvent) (o RepairOutcome, err error) {
	_, err = c.do(ctx, http.MethodPost, projectionPath(name, "/blocked/edit"), "", repair, &o)
	return o, err
}

// SkipBlockedEvent leaves an event out.
func (c *Client) SkipBlockedEvent(ctx context.Context, name string, repair RepairEvent) (o RepairOutcome, err error) {
	_, err = c.do(ctx, http.MethodPost, projectionPath(name, "/blocked/skip"), "", repair, &o)
	return o, err
}

// Repairs lists the decisions about events that could not be applied.
func (c *Client) Repairs(ctx context.Context, name string) ([]Repair, error) {
	return items[Repair](ctx, c, projectionPath(name, "/repairs"))
}

// items reads a list that comes whole.
func items[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	var list struct {
		Items []T `json:"items"`
	}
	_, err := c.do(ctx, http.MethodGet, path, "", nil, &list)
	return list.Items, err
}
