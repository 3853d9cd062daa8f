package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// longestMessage is more than a message of a stream can be.
const longestMessage = 1 << 20

// stream is one of server-sent events.
type stream struct {
	path  string
	query url.Values
	after string // where to go on; empty is where the server begins
}

// follow calls got for every event that is whole, until the stream ends or got
// fails. It returns the id of the last one that got took.
func (c *Client) follow(ctx context.Context, s stream, got func(event string, data []byte) error) (next string, err error) {
	body, err := c.open(ctx, s)
	if err != nil {
		return s.after, err
	}
	defer body.Close()
	next, err = readEvents(body, s.after, got)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = nil // the client's own limit
	}
	return next, err
}

func (c *Client) open(ctx context.Context, s stream) (io.ReadCloser, error) {
	request := c.http.R().SetContext(ctx).SetDoNotParseResponse(true).SetQueryParamsFromValues(s.query)
	if s.after != "" {
		request.SetHeader("Last-Event-ID", s.after)
	}
	response, err := request.Get(s.path)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", s.path, err)
	}
	body := response.RawBody()
	if response.StatusCode() == http.StatusOK {
		return body, nil
	}
	defer body.Close()
	text, _ := io.ReadAll(io.LimitReader(body, longestMessage))
	return nil, problemOf(response.SetBody(text))
}

func readEvents(body io.Reader, after string, got func(event string, data []byte) error) (next string, err error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, longestMessage)
	next = after
	event, id, data := "", next, ""
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			event = value
		case "data":
			data = value
		case "": // an event is whole
			if data != "" {
				if err := got(event, []byte(data)); err != nil {
					return next, err
				}
			}
			event, data, next = "", "", id
		}
	}
	return next, lines.Err()
}
