package api

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// readBody reads the whole body before anything is worked on, so that a slow
// caller holds nothing but memory, and keeps it for the fingerprint.
func (s *server) readBody(ctx huma.Context, next func(huma.Context)) {
	if body := ctx.Operation().RequestBody; body == nil || body.Content["application/json"] == nil { // or it is read line by line
		next(ctx)
		return
	}
	r, w := humago.Unwrap(ctx)
	body, problem := s.bodyOf(r, w)
	if problem != nil {
		s.write(w, problem)
		return
	}
	liftDeadline(w)
	callOf(ctx.Context()).body = body
	next(bodyContext{requestContext: ctx, body: body})
}

func (s *server) bodyOf(r *http.Request, w http.ResponseWriter) ([]byte, *Problem) {
	limit := s.api.Config.maxBody()
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, s.problem(r.Context(), kindMediaType, "the body must not be compressed")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	var network net.Error
	switch {
	case err == nil && !unicodeText(body):
		return nil, s.problem(r.Context(), kindMalformed, notUnicode)
	case err == nil:
		return body, nil
	case errors.As(err, &tooLarge):
		return nil, s.problem(r.Context(), kindTooLarge, "the body is larger than the limit").with("limit", limit)
	case errors.As(err, &network) && network.Timeout():
		return nil, s.problem(r.Context(), kindTooSlow, "the body did not arrive in time")
	}
	return nil, s.problem(r.Context(), kindMalformed, "the body ended early")
}

// requestContext is [huma.Context] by a name that can be embedded: the
// interface has a method Context.
type requestContext huma.Context

// bodyContext is a context whose body was read.
type bodyContext struct {
	requestContext

	body []byte
}

// BodyReader implements [huma.Context].
func (c bodyContext) BodyReader() io.Reader { return bytes.NewReader(c.body) }

// Unwrap is how huma's adapter finds the request.
func (c bodyContext) Unwrap() huma.Context { return c.requestContext }
