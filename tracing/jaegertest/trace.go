package jaegertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// ErrNoTrace says that Jaeger has no span of that trace yet.
var ErrNoTrace = errors.New("no span of that trace has arrived")

// Trace is a trace as Jaeger shows it. Spans are in order of their start.
type Trace struct {
	ID    string
	Spans []Span
	// JSON is Jaeger's answer as it came.
	JSON []byte
}

// Span is one span of a [Trace].
type Span struct {
	ID       string
	ParentID string // empty for a root
	Links    []Link
	Service  string
	Name     string
	Start    time.Time
	Duration time.Duration
	// Tags are the attributes, by name: string, bool, or float64 for every
	// number; lists are JSON in a string.
	Tags map[string]any
}

// Link leads to a span that is not the parent.
type Link struct{ TraceID, SpanID string }

// Named returns the spans with that name, in order of their start.
func (t Trace) Named(name string) []Span {
	var found []Span
	for _, s := range t.Spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// Parent returns the parent of a span, if it is in the trace.
func (t Trace) Parent(s Span) (Span, bool) {
	i := slices.IndexFunc(t.Spans, func(other Span) bool { return other.ID == s.ParentID })
	if i < 0 {
		return Span{}, false
	}
	return t.Spans[i], true
}

// Trace returns what has arrived of a trace, by its id of 32 hexadecimal
// digits. The error is [ErrNoTrace] when nothing has.
func (j *Jaeger) Trace(ctx context.Context, id string) (Trace, error) {
	body, status, err := j.get(ctx, "/api/traces/"+id)
	if err != nil {
		return Trace{}, err
	}
	if status == http.StatusNotFound {
		return Trace{}, ErrNoTrace
	}
	if status != http.StatusOK {
		return Trace{}, fmt.Errorf("trace %s: Jaeger answered %d: %s", id, status, body)
	}
	return decode(id, body)
}

// WaitFor returns a trace as soon as it is as it should be: spans arrive in
// batches, some seconds after they ended. When ctx ends first, it returns what
// has arrived together with the error.
func (j *Jaeger) WaitFor(ctx context.Context, id string, complete func(Trace) bool) (Trace, error) {
	var last Trace
	for {
		t, err := j.Trace(ctx, id)
		switch {
		case err == nil && complete(t):
			return t, nil
		case err == nil:
			last = t
		case ctx.Err() == nil && !errors.Is(err, ErrNoTrace):
			return last, err
		}
		select {
		case <-ctx.Done():
			return last, fmt.Errorf("wait for trace %s, with %d spans so far: %w", id, len(last.Spans), ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

func (j *Jaeger) get(ctx context.Context, path string) (body []byte, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, j.QueryURL()+path, nil)
	if err != nil {
		return nil, 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(res.Body)
	return body, res.StatusCode, err
}

// answer is what Jaeger's query API says about a trace.
type answer struct {
	Data []struct {
		Spans []struct {
			SpanID        string `json:"spanID"`
			OperationName string `json:"operationName"`
			References    []struct {
				RefType string `json:"refType"`
				TraceID string `json:"traceID"`
				SpanID  string `json:"spanID"`
			} `json:"references"`
			StartTime int64 `json:"startTime"` // in microseconds
			Duration  int64 `json:"duration"`  // in microseconds
			Tags      []struct {
				Key   string `json:"key"`
				Value any    `json:"value"`
			} `json:"tags"`
			ProcessID string `json:"processID"`
		} `json:"spans"`
		Processes map[string]struct {
			ServiceName string `json:"serviceName"`
		} `json:"processes"`
	} `json:"data"`
}

func decode(id string, body []byte) (Trace, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return Trace{}, fmt.Errorf("read trace %s: %w", id, err)
	}
	t := Trace{ID: id, JSON: body}
	for _, data := range a.Data {
		for _, s := range data.Spans {
			span := Span{
				ID:       s.SpanID,
				Service:  data.Processes[s.ProcessID].ServiceName,
				Name:     s.OperationName,
				Start:    time.UnixMicro(s.StartTime),
				Duration: time.Duration(s.Duration) * time.Microsecond,
				Tags:     make(map[string]any, len(s.Tags)),
			}
			for _, tag := range s.Tags {
				span.Tags[tag.Key] = tag.Value
			}
			for _, ref := range s.References {
				if ref.RefType == "CHILD_OF" && span.ParentID == "" {
					span.ParentID = ref.SpanID
					continue
				}
				span.Links = append(span.Links, Link{ref.TraceID, ref.SpanID})
			}
			// A parent that is also linked is told as a link only.
			if i := slices.IndexFunc(span.Links, func(l Link) bool { return l.TraceID == id }); i >= 0 && span.ParentID == "" {
				span.ParentID = span.Links[i].SpanID
			}
			t.Spans = append(t.Spans, span)
		}
	}
	slices.SortStableFunc(t.Spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return t, nil
}
