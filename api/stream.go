package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// longestStream is when a stream ends by itself. The client resumes it, and is
// asked again for its key, which may have been revoked.
const longestStream = 5 * time.Minute

// StreamLimits bound streams of changes; what is 0 has its default.
type StreamLimits struct {
	Open      int           // at once in a process; 1000
	Missed    int           // events that a list is told of afterwards, then it is read anew; 10000
	Heartbeat time.Duration // after which a comment shows that a stream lives; 15 s
	Longest   time.Duration // after which a stream of the feed ends by itself; 5 min
}

func (l StreamLimits) open() int64              { return int64(cmp.Or(l.Open, 1_000)) }
func (l StreamLimits) missed() int              { return cmp.Or(l.Missed, 10_000) }
func (l StreamLimits) longest() time.Duration   { return cmp.Or(l.Longest, longestStream) }
func (l StreamLimits) heartbeat() time.Duration { return cmp.Or(l.Heartbeat, heartbeat) }

// eventText is one server-sent event. The data is one line of JSON.
func eventText(id, event string, data []byte) string {
	var b strings.Builder
	b.WriteString("id: " + id + "\nevent: " + event + "\ndata: ")
	b.Write(data)
	b.WriteString("\n\n")
	return b.String()
}

// pour answers with events until the client has gone, is too slow, its time is
// up, or the server stops. Next waits for the next piece; where it finds none
// in time, a comment shows that the stream lives. What is not read by the
// client is not read from the log either: nothing piles up here.
func (s *server) pour(ctx context.Context, next func(context.Context) (string, error), end func()) (*huma.StreamResponse, error) {
	if s.streams.Add(1) > s.api.Streams.open() {
		s.streams.Add(-1)
		end()
		return nil, s.refuse(kindUnavailable, "too many streams are open")
	}
	return &huma.StreamResponse{Body: func(out huma.Context) {
		defer s.streams.Add(-1)
		defer end()
		_, w := humago.Unwrap(out)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no") // a proxy must not keep it
		w.WriteHeader(http.StatusOK)
		ctx, stop := context.WithTimeout(ctx, longestStream)
		defer stop()
		defer context.AfterFunc(s.api.stopping(), stop)()
		s.pieces(ctx, w, next)
	}}, nil
}

func (s *server) pieces(ctx context.Context, w http.ResponseWriter, next func(context.Context) (string, error)) {
	control := http.NewResponseController(w)
	for piece := ": waybill\n\n"; ; {
		_ = control.SetWriteDeadline(time.Now().Add(slowReader)) //nolint:forbidigo // the deadline is the network's
		if _, err := w.Write([]byte(piece)); err != nil || control.Flush() != nil || ctx.Err() != nil {
			return
		}
		waiting, stop := context.WithTimeout(ctx, s.api.Streams.heartbeat())
		var err error
		piece, err = next(waiting)
		stop()
		if err != nil && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
			s.logger.WarnContext(ctx, "a stream of changes broke off", "error", err)
			return
		}
		if piece == "" {
			piece = ": waiting\n\n"
		}
	}
}

// describeEvents says what huma cannot know of a stream.
func (s *server) describeEvents(path string) {
	s.operationAt(http.MethodGet, path).Responses["200"] = &huma.Response{
		Description: "Server-sent events, until the client goes away. After five minutes at the latest the stream ends and is to be resumed.",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}
}
