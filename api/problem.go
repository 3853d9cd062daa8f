package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Problem is an answer that is no success: a document of RFC 9457. Members
// stand beside the others in the document.
type Problem struct {
	Type     string    `json:"type"`
	Title    string    `json:"title"`
	Status   int       `json:"status"`
	Detail   string    `json:"detail,omitempty"`
	Instance string    `json:"instance,omitempty"`
	TraceID  string    `json:"trace_id,omitempty"`
	Errors   []mistake `json:"errors,omitempty"`

	Members    map[string]any `json:"-"`
	RetryAfter time.Duration  `json:"-"` // when the same request may succeed; 0 says nothing
	Header     http.Header    `json:"-"`
	slug       string
}

// mistake is one thing that is wrong with a request: in its body at a pointer,
// or in another part of it.
type mistake struct {
	Pointer   string `json:"pointer,omitempty" doc:"JSON pointer (RFC 6901) into the request's body." example:"/lines/0/quantity"`
	Parameter string `json:"parameter,omitempty" doc:"Where else the mistake is: path, query or header, a point and the name." example:"query.limit"`
	Code      string `json:"code" doc:"Stable, for programs." example:"quantity-out-of-range"`
	Detail    string `json:"detail" doc:"For people." example:"a line has 1 to 9,999 pieces"`
}

// Error implements error.
func (p *Problem) Error() string { return p.slug + ": " + p.Detail }

// GetStatus implements [huma.StatusError].
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements [huma.HeadersError].
func (p *Problem) GetHeaders() http.Header {
	header := http.Header{"Cache-Control": {"no-store"}}
	maps.Copy(header, p.Header)
	if p.RetryAfter > 0 {
		seconds := (p.RetryAfter + time.Second - 1) / time.Second
		header.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	return header
}

// ContentType implements [huma.ContentTypeFilter].
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// MarshalJSON implements [json.Marshaler]. A member cannot take the place of
// one that RFC 9457 defines.
func (p *Problem) MarshalJSON() ([]byte, error) {
	type plain Problem
	document, err := json.Marshal((*plain)(p))
	if err != nil {
		return nil, err
	}
	members := maps.Clone(p.Members)
	for _, name := range []string{"type", "title", "status", "detail", "instance", "trace_id", "errors"} {
		delete(members, name)
	}
	if len(members) == 0 {
		return document, nil
	}
	more, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	return append(append(document[:len(document)-1], ','), more[1:]...), nil
}

// with adds a member.
func (p *Problem) with(name string, value any) *Problem {
	if p.Members == nil {
		p.Members = map[string]any{}
	}
	p.Members[name] = value
	return p
}

// because adds mistakes.
func (p *Problem) because(mistakes ...domain.Mistake) *Problem {
	for _, m := range mistakes {
		p.Errors = append(p.Errors, mistake{Pointer: m.Pointer, Code: m.Code, Detail: m.Detail})
	}
	return p
}
