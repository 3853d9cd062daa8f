package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
)

// PlacedLine is what became of one of many orders.
type PlacedLine struct {
	Line       int      `json:"line"` // counts from 1
	Status     int      `json:"status"`
	OrderID    string   `json:"order_id"`
	Number     string   `json:"number"`
	CheckoutID string   `json:"checkout_id"` // where the payment's outcome is not known yet
	Replayed   bool     `json:"replayed"`
	Problem    *Problem `json:"problem"`
}

// PlaceOrders places many orders in one request and yields what became of each,
// in their order, while later ones are still being sent. Orders with External
// may be repeated without harm; the others need a key, and their place. A line
// that is refused is no error: see its Problem.
func (c *Client) PlaceOrders(ctx context.Context, key string, orders iter.Seq[PlaceOrder]) iter.Seq2[PlacedLine, error] {
	return func(yield func(PlacedLine, error) bool) {
		body, lines := io.Pipe()
		go sendLines(lines, orders)
		defer body.Close()
		request := c.http.R().SetContext(ctx).SetDoNotParseResponse(true).SetBody(io.Reader(body)).SetHeader("Content-Type", "application/x-ndjson")
		if key != "" {
			request.SetHeader("Idempotency-Key", key)
		}
		response, err := request.Post("/v1/orders/bulk")
		if err != nil {
			yield(PlacedLine{}, fmt.Errorf("POST /v1/orders/bulk: %w", err))
			return
		}
		defer response.RawBody().Close()
		if response.StatusCode() != http.StatusOK {
			yield(PlacedLine{}, unparsed(response.StatusCode(), response.RawBody()))
			return
		}
		decoder := json.NewDecoder(response.RawBody())
		for {
			var line PlacedLine
			err := decoder.Decode(&line)
			if errors.Is(err, io.EOF) || !yield(line, err) || err != nil {
				return
			}
		}
	}
}

func sendLines(w *io.PipeWriter, orders iter.Seq[PlaceOrder]) {
	encoder := json.NewEncoder(w)
	for order := range orders {
		if err := encoder.Encode(order); err != nil { // nobody reads any more
			_ = w.CloseWithError(err)
			return
		}
	}
	_ = w.Close() // never fails
}

func unparsed(status int, body io.Reader) error {
	problem := &Problem{}
	text, err := io.ReadAll(io.LimitReader(body, 64<<10))
	if err != nil || json.Unmarshal(text, problem) != nil || problem.Title == "" {
		problem.Title, problem.Detail = http.StatusText(status), string(text[:min(len(text), 200)])
	}
	problem.Status = status
	return problem
}
