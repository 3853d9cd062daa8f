package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
)

// errStopped says that the service does not answer any more.
var errStopped = errors.New("the sandbox gateway was stopped")

// Direct returns a way to the service for a client in the same process: the
// same requests to the same routes, without a connection. Who leaves before the
// answer does not know what was done, as over a connection.
func (s *Server) Direct() http.RoundTripper { return direct{s} }

type direct struct{ *Server }

// RoundTrip implements [http.RoundTripper].
func (d direct) RoundTrip(request *http.Request) (*http.Response, error) {
	// Who leaves takes the body along, so it is read before.
	body, err := bodyOf(request)
	if err != nil {
		return nil, err
	}
	ctx := request.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !d.calls.begin() {
		return nil, errStopped
	}
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	asked := received(ctx, request, body)
	answer := &written{header: http.Header{}}
	done := make(chan error, 1)
	go func() {
		defer d.calls.end()
		done <- serve(d.http.Handler, answer, asked)
	}()
	select {
	case err := <-done:
		if err != nil {
			return nil, err
		}
		return answer.response(request), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// serve makes an error of a panic: it ends the call, as it would a connection,
// and not the program.
func serve(handler http.Handler, answer http.ResponseWriter, asked *http.Request) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the sandbox gateway panicked: %v", cause)
		}
	}()
	handler.ServeHTTP(answer, asked)
	return nil
}

func bodyOf(request *http.Request) ([]byte, error) {
	if request.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(request.Body)
	if err := errors.Join(err, request.Body.Close()); err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	return body, nil
}

// received is a request as the service sees it. Whoever asked may go on to use
// his own.
func received(ctx context.Context, request *http.Request, body []byte) *http.Request {
	asked := request.WithContext(ctx)
	asked.Header = request.Header.Clone()
	asked.Body, asked.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	asked.RequestURI = request.URL.RequestURI()
	return asked
}

// written is what the service answers.
type written struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (w *written) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *written) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write implements [http.ResponseWriter].
func (w *written) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

func (w *written) response(request *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: request,
	}
}

// calls are those that go on, for the end to wait for.
type calls struct {
	mu     sync.Mutex
	closed bool
	going  sync.WaitGroup
}

func (c *calls) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.going.Add(1)
	}
	return !c.closed
}

func (c *calls) end() { c.going.Done() }

// close takes no more calls and waits for those that go on.
func (c *calls) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.going.Wait()
}
