package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/waybill-dev/waybill/client"
)

// Delivery is how long callbacks took from the append of their event to the
// partner, at a steady rate of orders.
type Delivery struct {
	Rate          int // orders per second
	Orders        int
	Received      int
	P50, P95, P99 time.Duration
}

// MeasureDelivery places orders at a rate for a time and receives their
// callbacks. The time of the append is the event's own timestamp.
func MeasureDelivery(ctx context.Context, api *client.Client, rate int, duration time.Duration) (Delivery, error) {
	partner, err := newPartner()
	if err != nil {
		return Delivery{}, err
	}
	defer partner.server.Close()
	endpoint, err := api.CreateEndpoint(ctx, client.CreateEndpoint{URL: partner.url, EventTypes: []string{"order.placed"}})
	if err != nil {
		return Delivery{}, err
	}
	orders, err := placeAtRate(ctx, api, rate, duration)
	if err != nil {
		return Delivery{}, err
	}
	received := partner.wait(ctx, orders)
	if err := api.DeleteEndpoint(ctx, endpoint.ID); err != nil {
		return Delivery{}, err
	}
	partner.mu.Lock()
	defer partner.mu.Unlock()
	return Delivery{
		Rate: rate, Orders: orders, Received: received,
		P50: quantile(partner.latency, 50), P95: quantile(partner.latency, 95), P99: quantile(partner.latency, 99),
	}, nil
}

// placeAtRate starts each order when its time has come, whether or not earlier
// ones were answered, so that a slow answer does not hide behind a lower rate. It
// returns how many came to an order.
func placeAtRate(ctx context.Context, api *client.Client, rate int, duration time.Duration) (int, error) {
	count := int(duration.Seconds() * float64(rate))
	errs := make(chan error, count)
	var orders atomic.Int64
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	run := fmt.Sprintf("delivery-%d", time.Now().UnixNano())
	for n := range count {
		<-ticker.C
		go func() {
			placed, err := api.PlaceOrder(ctx, fmt.Sprintf("%s-%d", run, n), order(n))
			if err == nil && placed.CheckoutURL == "" {
				orders.Add(1)
			}
			errs <- err
		}()
	}
	for range count {
		if err := <-errs; err != nil {
			return 0, err
		}
	}
	return int(orders.Load()), nil
}

type partner struct {
	server  *http.Server
	url     string
	mu      sync.Mutex
	seen    map[string]bool
	latency *hdrhistogram.Histogram
}

func newPartner() (*partner, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	if err != nil {
		return nil, fmt.Errorf("listen for callbacks: %w", err)
	}
	p := &partner{url: "http://" + listener.Addr().String() + "/", seen: map[string]bool{}, latency: newHistogram()}
	p.server = &http.Server{Handler: http.HandlerFunc(p.receive), ReadHeaderTimeout: time.Minute}
	go func() { _ = p.server.Serve(listener) }() // ends with Close
	return p, nil
}

func (p *partner) receive(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	var message struct {
		ID        string    `json:"id"`
		Timestamp time.Time `json:"timestamp"`
	}
	if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.seen[message.ID] {
		p.seen[message.ID] = true
		record(p.latency, arrived.Sub(message.Timestamp))
	}
}

// wait returns how many callbacks came, once all have or ten seconds passed.
func (p *partner) wait(ctx context.Context, want int) int {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		p.mu.Lock()
		got := len(p.seen)
		p.mu.Unlock()
		if got >= want || ctx.Err() != nil {
			return got
		}
		time.Sleep(10 * time.Millisecond)
	}
}
