package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

type feedRequest struct {
	After    string   `query:"after" maxLength:"100" doc:"Where to go on: next of the answer before, the cursor of a message, a time (RFC 3339), beginning, or now. Without it from the beginning."`
	Limit    int      `query:"limit" default:"100" minimum:"1" maximum:"500" doc:"The most messages."`
	Wait     int      `query:"wait" default:"0" minimum:"0" maximum:"25" doc:"Seconds to wait for a message if there is none."`
	Types    []string `query:"types" maxItems:"100" doc:"Only these event types, with commas between them. Not together with endpoint."`
	Filter   string   `query:"filter" maxLength:"2000" doc:"An expression in CEL, as an endpoint's filter. Not together with endpoint."`
	Endpoint string   `query:"endpoint" maxLength:"100" doc:"What this endpoint is sent, with the same sequence and previous."`
}

type feedAnswer struct {
	CacheControl string `header:"Cache-Control"`
	Body         feedBody
}

type feedBody struct {
	Items   []json.RawMessage  `json:"items" nullable:"false" doc:"Messages as webhooks carry them, in the order of the log."`
	Skipped []webhooks.Skipped `json:"skipped,omitempty" doc:"Messages in between that cannot be made; missing where there is none. Whoever runs the platform has been told."`
	Next    string             `json:"next" doc:"Where to go on, also when there was no message."`
	More    bool               `json:"more" doc:"There is more at once."`
}

type streamRequest struct {
	After       string   `query:"after" maxLength:"100" doc:"As in /v1/feed. The header Last-Event-ID goes before it."`
	LastEventID string   `header:"Last-Event-ID" maxLength:"100" doc:"The id of the last event that was received: a cursor."`
	Types       []string `query:"types" maxItems:"100" doc:"Only these event types, with commas between them. Not together with endpoint."`
	Filter      string   `query:"filter" maxLength:"2000" doc:"An expression in CEL, as an endpoint's filter. Not together with endpoint."`
	Endpoint    string   `query:"endpoint" maxLength:"100" doc:"What this endpoint is sent, with the same sequence and previous."`
}

// Of the stream.
const (
	heartbeat   = 15 * time.Second
	streamBatch = 100
	slowReader  = 10 * time.Second // who takes longer for a piece is cut off, and may resume
	readingPast = 2 * time.Second  // that one request may read of the past without finding a message
)

func (s *server) feedRoutes() {
	read := []apikey.Scope{apikey.WebhooksRead, apikey.WebhooksWrite}
	refuses := []string{kindBadCursor, endpoint.ErrNotFound.Code, webhooks.ErrTooManyAtOnce.Code}
	register(s, route{
		id: "pullFeed", method: http.MethodGet, path: "/v1/feed", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "Pull messages instead of receiving them",
		about:   "The same messages as webhooks carry, in the order of the log, on the same cursor: a receiver may go on here after the cursor of a message, and resume its endpoint after one of these. With wait the request is answered when there is something.",
		refuses: refuses,
	}, s.pullFeed)
	register(s, route{
		id: "streamFeed", method: http.MethodGet, path: "/v1/feed/stream", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "Pull messages as a stream (server-sent events)",
		about:   "Each event's data is a message and its id a cursor: a client that reconnects with Last-Event-ID goes on there. Comments come while there is nothing else. An event named skipped stands for a message that cannot be made; its data is as skipped of /v1/feed.",
		refuses: refuses,
	}, s.streamFeed)
	s.describeStream()
}

// describeStream says what huma cannot know of a stream.
func (s *server) describeStream() {
	s.operationAt(http.MethodGet, "/v1/feed/stream").Responses["200"] = &huma.Response{
		Description: "Events, until the client goes away. After five minutes at the latest the stream ends and is to be resumed, and at once when the endpoint whose messages they are is changed.",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}
}

// puller begins to read, or says what is wrong with where.
func (s *server) puller(ctx context.Context, after string, what webhooks.Selection) (*webhooks.Puller, error) {
	if what.EndpointID != "" {
		if err := s.mayTouch(ctx, what.EndpointID); err != nil {
			return nil, err
		}
	}
	caller := callOf(ctx).credential
	what.TenantID, what.Channels = caller.PartnerID, caller.Channels
	puller, err := s.api.Deliveries.Pull(ctx, after, what)
	if errors.Is(err, webhooks.ErrPlace) || errors.Is(err, webhooks.ErrBeyond) {
		return nil, s.refuse(kindBadCursor, err.Error())
	}
	if errors.Is(err, webhooks.ErrSelection) {
		return nil, s.refuse(kindInvalid, err.Error())
	}
	return puller, err
}

func (s *server) pullFeed(ctx context.Context, in *feedRequest) (*feedAnswer, error) {
	puller, err := s.puller(ctx, in.After, webhooks.Selection{EndpointID: in.Endpoint, EventTypes: in.Types, Filter: in.Filter})
	if err != nil {
		return nil, err
	}
	defer puller.Close()
	puller.Impatient = in.Wait == 0
	patience := time.Duration(in.Wait) * time.Second
	if puller.Behind() {
		patience = max(patience, readingPast)
	}
	waiting, stop := context.WithTimeout(ctx, patience)
	defer stop()
	defer context.AfterFunc(s.api.stopping(), stop)()
	pulled, err := puller.Next(waiting, in.Limit)
	if errors.Is(err, webhooks.ErrChosenOtherwise) {
		pulled, err = webhooks.Pulled{Through: puller.Cursor(), More: true}, nil
	}
	if err != nil {
		return nil, err
	}
	answer := &feedAnswer{CacheControl: "no-store", Body: feedBody{Items: []json.RawMessage{}, Next: pulled.Through, More: pulled.More}}
	for _, m := range pulled.Messages {
		if m.Skipped != nil {
			answer.Body.Skipped = append(answer.Body.Skipped, *m.Skipped)
			continue
		}
		answer.Body.Items = append(answer.Body.Items, m.Body)
	}
	return answer, nil
}

func (s *server) streamFeed(ctx context.Context, in *streamRequest) (*huma.StreamResponse, error) {
	after := in.After
	if in.LastEventID != "" {
		after = in.LastEventID
	}
	puller, err := s.puller(ctx, after, webhooks.Selection{EndpointID: in.Endpoint, EventTypes: in.Types, Filter: in.Filter})
	if err != nil {
		return nil, err
	}
	if s.streams.Add(1) > s.api.Streams.open() {
		s.streams.Add(-1)
		puller.Close()
		return nil, s.refuse(kindUnavailable, "too many streams are open")
	}
	return &huma.StreamResponse{Body: func(out huma.Context) {
		defer s.streams.Add(-1)
		defer puller.Close()
		_, w := humago.Unwrap(out)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no") // a proxy must not keep it
		w.WriteHeader(http.StatusOK)
		s.stream(ctx, w, puller)
	}}, nil
}

// stream writes until the client has gone, is too slow, its time is up, what it
// reads is chosen otherwise by now, or the server stops. The client goes on
// after the last id that it got.
func (s *server) stream(ctx context.Context, w http.ResponseWriter, puller *webhooks.Puller) {
	control := http.NewResponseController(w)
	ctx, stop := context.WithTimeout(ctx, s.api.Streams.longest())
	defer stop()
	defer context.AfterFunc(s.api.stopping(), stop)()
	for pieces := []string{fmt.Sprintf(": waybill\nid: %s\n\n", puller.Cursor())}; ; {
		_ = control.SetWriteDeadline(time.Now().Add(slowReader)) //nolint:forbidigo // the deadline is the network's
		for _, piece := range pieces {
			if _, err := io.WriteString(w, piece); err != nil {
				s.tooSlow(ctx, err)
				return
			}
		}
		if err := control.Flush(); err != nil || ctx.Err() != nil {
			s.tooSlow(ctx, err)
			return
		}
		waiting, stop := context.WithTimeout(ctx, s.api.Streams.heartbeat())
		pulled, err := puller.Next(waiting, streamBatch)
		stop()
		if errors.Is(err, webhooks.ErrChosenOtherwise) {
			return
		}
		if err != nil {
			s.logger.WarnContext(ctx, "a stream of the feed broke off", "error", err)
			return
		}
		if pieces = pieces[:0]; len(pulled.Messages) == 0 {
			pieces = append(pieces, fmt.Sprintf(": waiting\nid: %s\n\n", pulled.Through))
		}
		for _, m := range pulled.Messages {
			pieces = append(pieces, pieceOf(m))
		}
	}
}

// pieceOf is a message as an event of the stream. What stands for one that
// cannot be made has a name of its own.
func pieceOf(m webhooks.PulledMessage) string {
	name, data := m.Type, m.Body
	if m.Skipped != nil {
		name = "skipped"
		data, _ = json.Marshal(m.Skipped) // strings and a number
	}
	return fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", m.Cursor, name, data)
}

// tooSlow says why a reader was cut off that is still there.
func (s *server) tooSlow(ctx context.Context, err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.logger.InfoContext(ctx, "a reader of the feed was too slow and was cut off; it may go on after the last id it got")
	}
}

// stopping ends when the server begins to stop: what would never end by itself
// has to end then.
func (a *API) stopping() context.Context {
	if a.Stopping == nil {
		return context.Background() //nolint:forbidigo // of an API that never stops
	}
	return a.Stopping
}
