package api_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/api"
)

// changeStream is a stream of server-sent events that is open.
type changeStream struct {
	lines *bufio.Scanner
	close func()
}

// open opens a stream, which ends with the test at the latest.
func (p *platform) open(t *testing.T, path string) changeStream {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminKey)
	response, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, response.Status)
	}
	return changeStream{bufio.NewScanner(response.Body), func() { stop(); _ = response.Body.Close() }}
}

// until reads lines up to the one that is wanted, and returns those before it.
func (s changeStream) until(t *testing.T, want string) (before []string) {
	t.Helper()
	for s.lines.Scan() {
		if s.lines.Text() == want {
			return before
		}
		before = append(before, s.lines.Text())
	}
	t.Fatalf("the stream ended without %q: %q, %v", want, before, s.lines.Err())
	return nil
}

// A client that missed more than it is told of afterwards reads the list anew,
// and is told what happens from then on.
func TestAListThatMissedTooMuchIsReadAnew(t *testing.T) {
	t.Parallel()
	p := shopWith(t, 10, func(a *api.API) { a.Streams.Missed = 50 })
	start := p.get("/v1/orders").expect(200).header.Get("X-Read-Position")
	o := p.ordered()
	for n := range 120 { // more than a page of changes
		o.step("tags", fmt.Sprintf(`{%q: ["x"]}`, []string{"add", "remove"}[n%2]))
	}
	end := p.get("/v1/orders").expect(200).header.Get("X-Read-Position")
	s := p.open(t, "/v1/orders/changes?after="+start)
	s.until(t, "event: reset")
	s.until(t, "data: {}")
	o.step("hold", `{"reason": "manual"}`)
	s.until(t, "event: changed")
	s.close()
	again := p.open(t, "/v1/orders/changes?after="+end) // little was missed
	again.until(t, "event: changed")
}

// A client that knows of more than there is, for the log was restored from a
// backup, reads the list anew, and is told where an order stands.
func TestWhoKnowsOfMoreThanThereIsIsToldSo(t *testing.T) {
	t.Parallel()
	p := shopWith(t, 10, func(a *api.API) { a.Streams.Heartbeat = time.Minute })
	o := p.ordered()
	o.step("tags", `{"add": ["x"]}`)
	list := p.open(t, "/v1/orders/changes?after=999999999999")
	list.until(t, "event: reset")
	list.until(t, "data: {}")
	one := p.open(t, "/v1/orders/"+o.id+"/changes?after=7")
	one.until(t, "id: 1")
	o.step("tags", `{"add": ["y"]}`)
	list.until(t, "event: changed")
	one.until(t, "id: 2")
}

// A list that is narrowed to another system's orders is followed as it is read.
func TestAListOfAnotherSystemIsFollowed(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	start := p.get("/v1/orders").expect(200).header.Get("X-Read-Position")
	p.ordered()
	for query, want := range map[string]string{"": `"matches":true`, "&external_source=shop": `"matches":false`, "&external_ref=7": `"matches":false`} {
		s := p.open(t, "/v1/orders/changes?after="+start+query)
		s.until(t, "event: changed")
		if !s.lines.Scan() || !strings.Contains(s.lines.Text(), want) {
			t.Errorf("%q: %s; want %s", query, s.lines.Text(), want)
		}
	}
}

func TestAStreamShowsThatItLives(t *testing.T) {
	t.Parallel()
	p := startWith(t, func(a *api.API) { a.Streams.Heartbeat = time.Millisecond })
	s := p.open(t, "/v1/orders/changes")
	if before := s.until(t, ": waiting"); len(before) < 1 || before[0] != ": waybill" {
		t.Errorf("it begins with %q", before)
	}
	s.until(t, ": waiting")
}

func TestOneStreamTooManyIsRefusedUntilAnotherEnds(t *testing.T) {
	t.Parallel()
	p := startWith(t, func(a *api.API) { a.Streams = api.StreamLimits{Open: 1, Heartbeat: 10 * time.Millisecond} })
	first := p.open(t, "/v1/orders/changes")
	first.until(t, ": waybill")
	p.get("/v1/orders/changes").problem(503, "unavailable")
	first.close()
	eventually(t, "the place is free", func() bool {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/v1/orders/changes", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+adminKey)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		return response.StatusCode == http.StatusOK
	})
}
