package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/waybill-dev/waybill/client"
)

// caller places orders on a connection of its own. It runs on the machine that
// is measured, so it takes as little as it can of it: the goroutine that asks
// writes the request and reads the answer, where [http.Transport] hands both to
// others.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
	out  *bufio.Writer
	url  string
	key  string
	body bytes.Buffer
}

func newCaller(ctx context.Context, addr, apiKey string) (*caller, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to the platform: %w", err)
	}
	return &caller{
		conn: conn, in: bufio.NewReader(conn), out: bufio.NewWriter(conn), url: "http://" + addr + "/v1/orders", key: apiKey,
	}, nil
}

func (c *caller) close() error { return c.conn.Close() }

// place places an order and says whether its payment is not decided yet.
func (c *caller) place(ctx context.Context, key string, order client.PlaceOrder) (pending bool, err error) {
	c.body.Reset()
	if err := json.NewEncoder(&c.body).Encode(order); err != nil {
		return false, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, &c.body)
	if err != nil {
		return false, err
	}
	request.Header = http.Header{
		"Authorization": {"Bearer " + c.key}, "Content-Type": {"application/json"}, "Idempotency-Key": {key},
	}
	return c.ask(request)
}

func (c *caller) ask(request *http.Request) (pending bool, err error) {
	if err := request.Write(c.out); err != nil {
		return false, fmt.Errorf("place an order: %w", err)
	}
	if err := c.out.Flush(); err != nil {
		return false, fmt.Errorf("place an order: %w", err)
	}
	response, err := http.ReadResponse(c.in, request)
	if err != nil {
		return false, fmt.Errorf("read what became of an order: %w", err)
	}
	defer response.Body.Close()
	c.body.Reset()
	if _, err := io.Copy(&c.body, response.Body); err != nil {
		return false, fmt.Errorf("read what became of an order: %w", err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return false, fmt.Errorf("place an order: %s: %s", response.Status, c.body.Bytes())
	}
	return response.StatusCode == http.StatusAccepted, nil
}
