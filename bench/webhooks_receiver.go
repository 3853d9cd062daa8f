package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// receiver is a partner's server that keeps account of what comes. It runs on
// the machine that is measured, so it takes as little as it can of it: it looks
// for what it needs in the message instead of decoding it, answers from the
// goroutine that reads a connection, and what it remembers holds no pointers
// for the garbage collector to follow.
type receiver struct {
	listener net.Listener
	url      string
	answer   atomic.Int64 // how long it takes
	down     atomic.Bool  // answers 503
	serving  sync.WaitGroup
	appends  *appends // of what it receives

	mu      sync.Mutex
	open    map[net.Conn]bool // nil when it has ended
	live    string            // the public type whose latency counts
	seed    maphash.Seed
	last    map[uint64]int32 // sequence by aggregate's hash
	count   int
	others  int // of another type than live
	repeats int
	swapped int
	first   time.Time
	latest  time.Time
	latency *hdrhistogram.Histogram
	after   *hdrhistogram.Histogram // the append, of live traffic
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
	r := &receiver{
		listener: listener, url: "http://" + listener.Addr().String() + "/", open: map[net.Conn]bool{},
		seed: maphash.MakeSeed(), last: map[uint64]int32{}, latency: newHistogram(), after: newHistogram(),
	}
	r.answer.Store(int64(answer))
	return r, nil
}

// close ends every connection and waits for whoever still answers.
func (r *receiver) close() error {
	err := r.listener.Close()
	r.mu.Lock()
	for conn := range r.open {
		_ = conn.Close()
	}
	r.open = nil
	r.mu.Unlock()
	r.serving.Wait()
	return err
}

func (r *receiver) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return // closed
		}
		r.mu.Lock()
		ended := r.open == nil
		if !ended {
			r.open[conn] = true
		}
		r.mu.Unlock()
		if ended {
			_ = conn.Close()
			return
		}
		r.serving.Go(func() { r.serve(conn) })
	}
}

const (
	answerOK   = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	answerDown = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
)

// serve answers one request after the other until the connection ends.
func (r *receiver) serve(conn net.Conn) {
	defer func() {
		r.mu.Lock()
		delete(r.open, conn)
		r.mu.Unlock()
		_ = conn.Close()
	}()
	in, body := bufio.NewReader(conn), &bytes.Buffer{}
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		arrived := time.Now()
		body.Reset()
		if _, err := io.Copy(body, request.Body); err != nil {
			return
		}
		answer := answerOK
		if r.down.Load() {
			answer = answerDown
		} else {
			time.Sleep(time.Duration(r.answer.Load()))
			r.note(body.Bytes(), arrived)
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

func (r *receiver) note(body []byte, arrived time.Time) {
	number, _ := strconv.ParseInt(string(bytes.TrimRight(between(body, `"sequence":`, ","), " ")), 10, 32)
	sequence := int32(number)
	id := between(after(body, `"aggregate":`), `"id":"`, `"`)
	aggregate := maphash.Bytes(r.seed, id)
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
	if r.live == liveType {
		record(r.after, r.appends.since(id, arrived))
	}
}

// reset forgets what was measured, not what came.
func (r *receiver) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latency.Reset()
	r.after.Reset()
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

func (r *receiver) merge(all, after *hdrhistogram.Histogram) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all.Merge(r.latency)
	after.Merge(r.after)
}

func after(text []byte, mark string) []byte {
	_, rest, _ := bytes.Cut(text, []byte(mark))
	return rest
}

func between(text []byte, from, to string) []byte {
	found, _, _ := bytes.Cut(after(text, from), []byte(to))
	return found
}
