package console

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/waybill-dev/waybill/client"
)

// clientOf is the API as the holder of a key sees it.
func (h *console) clientOf(r *http.Request, key string) *client.Client {
	return client.NewOver(inside{api: h.API, from: r.RemoteAddr}, "http://"+r.Host, key)
}

func asProblem(err error) (*client.Problem, bool) {
	var problem *client.Problem
	ok := errors.As(err, &problem)
	return problem, ok
}

// inside calls a handler of the same process, so that the console needs no
// address of the API and no connection to it.
type inside struct {
	api  http.Handler
	from string
}

// RoundTrip implements [http.RoundTripper].
func (t inside) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), t.from
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := &answer{header: http.Header{}, status: http.StatusOK}
	t.api.ServeHTTP(out, in)
	return &http.Response{
		Status: http.StatusText(out.status), StatusCode: out.status, Header: out.header, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(&out.body), ContentLength: int64(out.body.Len()),
	}, nil
}

// answer keeps what a handler says.
type answer struct {
	header http.Header
	status int
	begun  bool
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if !a.begun {
		a.status, a.begun = status, true
	}
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(b []byte) (int, error) {
	a.begun = true
	return a.body.Write(b)
}
