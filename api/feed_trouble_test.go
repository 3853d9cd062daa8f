package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stream is a connection to the stream of the feed.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
	last  string // id
}

// listen opens a stream on a connection of its own. Buffer is how much of it
// the system keeps for a client that does not read; 0 is as usual.
func (p *platform) listen(after string, buffer int) *stream {
	p.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(p.t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	if tcp, ok := conn.(*net.TCPConn); ok && buffer > 0 {
		_ = tcp.SetReadBuffer(buffer)
	}
	const ask = "GET /v1/feed/stream?types=order.placed HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer %s\r\nLast-Event-Id: %s\r\n\r\n"
	if _, err := fmt.Fprintf(conn, ask, adminKey, after); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20)
	return &stream{t: p.t, lines: lines, last: after}
}

// next returns the order of the next message, empty when the stream ended.
func (s *stream) next() string {
	s.t.Helper()
	id := ""
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "data":
			var m struct{ Aggregate struct{ ID string } }
			if err := json.Unmarshal([]byte(value), &m); err != nil {
				return "" // cut off within it
			}
			s.last = id
			return m.Aggregate.ID
		}
	}
	return ""
}

// TestFeedWhileTheEventStoreIsAway: who waits at the end goes on waiting, who
// asks for the past gets what is in memory or is asked to come back, and nobody
// misses anything.
func TestFeedWhileTheEventStoreIsAway(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.record("o1", "web", 10, 1)
	orders := func(a answer) (list []string) {
		items, _ := a.json()["items"].([]any)
		for _, item := range items {
			list = append(list, item.(map[string]any)["aggregate"].(map[string]any)["id"].(string))
		}
		return list
	}
	const placed = "/v1/feed?types=order.placed"
	eventually(t, "the first order", func() bool { a := p.get(placed); return a.status == http.StatusOK && len(orders(a)) == 1 })
	s := p.listen("", 0)
	if got := s.next(); got != "o1" {
		t.Fatalf("the stream begins with %q", got)
	}
	end, _ := p.get(placed + "&after=now").expect(200).json()["next"].(string)

	p.node.Stop()
	for range 3 {
		a := p.get(placed + "&wait=1&after=" + end)
		if a.expect(200); len(orders(a)) != 0 || a.json()["more"] != false {
			t.Errorf("at the end: %s", a.body)
		}
		if a := p.get(placed); a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" || a.status != 200 && a.status != 503 {
			t.Errorf("the past: %d %s", a.status, a.body)
		}
	}
	p.node.Restart()
	p.record("o2", "web", 10, 1)
	if got := s.next(); got != "o2" {
		t.Errorf("the stream that was open goes on with %q", got)
	}
	var got []string
	eventually(t, "the second order", func() bool {
		a := p.get(placed + "&wait=5&after=" + end)
		got = append(got, orders(a)...)
		return len(got) > 0
	})
	if diff := cmp.Diff([]string{"o2"}, got); diff != "" {
		t.Errorf("polled (-want +got):\n%s", diff)
	}
}
