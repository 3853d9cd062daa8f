package bench

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRequestsInPieces(t *testing.T) {
	t.Parallel()
	const whole = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nX-Other: 1\r\n\r\nhello"
	for n := range len(whole) {
		if _, size, err := request([]byte(whole[:n])); size != 0 || err != nil {
			t.Fatalf("the first %d bytes are a request of %d: %v", n, size, err)
		}
	}
	if body, size, err := request([]byte(whole + "POST /")); string(body) != "hello" || size != len(whole) || err != nil {
		t.Errorf("%q, %d bytes, %v", body, size, err)
	}
	for _, wrong := range []string{"POST / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"} {
		if _, _, err := request([]byte(wrong)); err == nil {
			t.Errorf("%q has a body", wrong)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"))
	f.Add([]byte("\r\nContent-Length:\r\n\r\n"))
	f.Add([]byte("\r\nContent-Length: 9223372036854775807\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		if body, size, err := request(text); size > len(text) || len(body) > size || err != nil && size != 0 || !bytes.Equal(text, before) {
			t.Errorf("%q of %d bytes, %v", body, size, err)
		}
	})
}

// TestALoopAnswersInItsTime: requests that come together are all answered, after
// the time that answers take, and 503 while the partner is down.
func TestALoopAnswersInItsTime(t *testing.T) {
	t.Parallel()
	const takes = 30 * time.Millisecond
	r, err := newReceiver(200, takes)
	if err != nil {
		t.Fatal(err)
	}
	r.appends = newAppends()
	end, err := r.acceptInLoop()
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 8, DialContext: (&net.Dialer{}).DialContext}
	partner := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	const at = `{"type":"order.placed","timestamp":"2026-01-02T12:00:00Z","aggregate":{"id":"o-1"},"sequence":`
	post := func(body string) (status int, took time.Duration) {
		began := time.Now()
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.url, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0, 0
		}
		response, err := partner.Do(request)
		if err != nil {
			t.Error(err)
			return 0, 0
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode, time.Since(began)
	}
	for _, body := range []string{at + "1,}", at + "2,}", at + "2,}", at + "4,}"} {
		if status, took := post(body); status != http.StatusOK || took < takes {
			t.Errorf("answered %d after %s", status, took)
		}
	}
	r.down.Store(true)
	if status, _ := post(at + "5,}"); status != http.StatusServiceUnavailable {
		t.Errorf("while down %d", status)
	}
	if count, _ := r.counts(); count != 3 || r.repeated() != 1 || r.outOfOrder() != 1 {
		t.Errorf("%d came, %d twice, %d out of order", count, r.repeated(), r.outOfOrder())
	}
	transport.CloseIdleConnections()
	if err := end(); err != nil {
		t.Error(err)
	}
}
