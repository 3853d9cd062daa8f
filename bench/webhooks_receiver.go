package bench

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// receiver is a partner's server that keeps account of what comes. It looks
// for what it needs in the message instead of decoding it: it runs on the
// machine that is measured.
type receiver struct {
	server *http.Server
	url    string
	answer atomic.Int64 // how long it takes
	down   atomic.Bool  // answers 503

	mu      sync.Mutex
	live    string         // the public type whose latency counts
	last    map[string]int // sequence by aggregate
	count   int
	others  int // of another type than live
	repeats int
	swapped int
	first   time.Time
	latest  time.Time
	latency *hdrhistogram.Histogram
}

// newReceiver listens on a loopback address of its own where the system has
// them: a target host has a limit.
func newReceiver(n int, answer time.Duration) (*receiver, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.1.%d.%d:0", n/250, 1+n%250)) //nolint:noctx // returns at once
	if err != nil {
		listener, err = net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // as above
	}
	if err != nil {
		return nil, fmt.Errorf("listen for callbacks: %w", err)
	}
	r := &receiver{url: "http://" + listener.Addr().String() + "/", last: map[string]int{}, latency: newHistogram()}
	r.answer.Store(int64(answer))
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	go func() { _ = r.server.Serve(listener) }() // ends with Close
	return r, nil
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	arrived := time.Now()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	if r.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if wait := time.Duration(r.answer.Load()); wait > 0 {
		select {
		case <-time.After(wait):
		case <-req.Context().Done():
			return
		}
	}
	r.note(body, arrived)
}

func (r *receiver) note(body []byte, arrived time.Time) {
	sequence, _ := strconv.Atoi(string(bytes.TrimRight(between(body, `"sequence":`, ","), " ")))
	aggregate := string(between(after(body, `"aggregate":`), `"id":"`, `"`))
	kind := between(body, `"type":"`, `"`)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch last := r.last[aggregate]; {
	case sequence <= last:
		r.repeats++
		return
	case sequence != last+1:
		r.swapped++
	}
	r.last[aggregate] = sequence
	if r.live != "" && string(kind) != r.live {
		r.others++
		if r.first.IsZero() {
			r.first = arrived
		}
		r.latest = arrived
		return
	}
	r.count++
	if r.live == "" {
		if r.first.IsZero() {
			r.first = arrived
		}
		r.latest = arrived
	}
	if at, err := time.Parse(time.RFC3339, string(between(body, `"timestamp":"`, `"`))); err == nil {
		record(r.latency, arrived.Sub(at))
	}
}

// reset forgets what was measured, not what came.
func (r *receiver) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latency.Reset()
	r.count, r.others, r.first, r.latest = 0, 0, time.Time{}, time.Time{}
}

func (r *receiver) counts() (count, others int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count, r.others
}

// span is when the first and the last of what counts for throughput came.
func (r *receiver) span() (first, last time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first, r.latest
}

func (r *receiver) outOfOrder() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.swapped
}

func (r *receiver) repeated() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.repeats
}

func (r *receiver) merge(into *hdrhistogram.Histogram) {
	r.mu.Lock()
	defer r.mu.Unlock()
	into.Merge(r.latency)
}

func after(text []byte, mark string) []byte {
	_, rest, _ := bytes.Cut(text, []byte(mark))
	return rest
}

func between(text []byte, from, to string) []byte {
	found, _, _ := bytes.Cut(after(text, from), []byte(to))
	return found
}
