package eventstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// proxy stands between a client and a node. Armed, it forwards the next
// request, waits until the node must have acted on it, and cuts all
// connections without forwarding the answer. Mute, it forwards nothing at all.
type proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	armed bool
	mute  bool
	cuts  int
	open  map[net.Conn]bool
}

func newProxy(tb testing.TB, connectionString string) *proxy {
	tb.Helper()
	target := strings.TrimPrefix(connectionString, "esdb://")
	target, _, _ = strings.Cut(target, "?")
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, open: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() { p.serve(&serving) })
	tb.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		serving.Wait()
	})
	return p
}

func (p *proxy) connectionString() string {
	return "esdb://" + p.listener.Addr().String() + "?tls=false"
}

func (p *proxy) serve(serving *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		node, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.open[client], p.open[node] = true, true
		p.mu.Unlock()
		serving.Go(func() { p.copy(node, client, func([]byte) bool { return !p.isMute() }) })
		serving.Go(func() { p.copy(client, node, p.answer) })
	}
}

// answer tells whether an answer of the node may pass. The answer to an append
// is in a frame of data; those by which both sides only keep the connection going
// pass.
func (p *proxy) answer(data []byte) bool {
	p.mu.Lock()
	cut := p.armed && holdsData(data)
	if cut {
		p.armed, p.cuts = false, p.cuts+1
	}
	p.mu.Unlock()
	if cut {
		p.cut()
	}
	return !cut && !p.isMute()
}

// holdsData tells whether any of the frames of HTTP/2 that were written at once
// is one of data.
func holdsData(frames []byte) bool {
	framer := http2.NewFramer(io.Discard, bytes.NewReader(frames))
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return false
		}
		if data, ok := frame.(*http2.DataFrame); ok && len(data.Data()) > 0 {
			return true
		}
	}
}

func (p *proxy) copy(to, from net.Conn, pass func([]byte) bool) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && pass(buffer[:n]) {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) || err != nil {
			return
		}
	}
}

func (p *proxy) arm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = true
}

func (p *proxy) setMute(mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = mute
}

func (p *proxy) isMute() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mute
}

func (p *proxy) countCuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		_ = conn.Close()
		delete(p.open, conn)
	}
}

func TestUnknownOutcomeIsFoundOut(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t, nodetest.Start(t))
	client := connectWith(t, eventstore.Config{ConnectionString: proxy.connectionString(), Connections: 1})
	lane(t, client)
	news := events("order-1", "d", 1, 2)
	news[0].Event = Named{Name: "1" + strings.Repeat(" ", 200<<10)} // too big for the lane
	proxy.arm()
	done := mustAppend(t, client, "order-1", 0, news...)
	if proxy.countCuts() != 1 {
		t.Fatal("the answer was not cut off")
	}
	if done.Revision != 2 || done.Position == 0 {
		t.Errorf("answer %+v", done)
	}
	if got := names(t, client, "order-1"); len(got) != 3 || strings.TrimSpace(got[1]) != "1" {
		t.Errorf("%d events", len(got))
	}
}

func TestUnknownOutcomeIsReturnedWhereARepetitionMightWriteTwice(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t, nodetest.Start(t))
	client := connectWith(t, eventstore.Config{ConnectionString: proxy.connectionString(), Connections: 1})
	lane(t, client)
	proxy.arm()
	_, err := client.Append(t.Context(), "order-1", eventstore.Any, events("order-1", "d", 1, 1)...)
	if !errors.Is(err, eventstore.ErrUnavailable) || proxy.countCuts() != 1 {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff([]string{"0", "1"}, names(t, client, "order-1")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReadGoesOnAfterACut(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t, nodetest.Start(t))
	client := connect(t, proxy.connectionString())
	const count = 20_000
	for i := range count / 1000 {
		mustAppend(t, client, "order-1", eventstore.Revision(1000*i-1), events("order-1", string(rune('a'+i)), 0, 1000)...)
	}
	next := eventstore.Revision(0)
	for r, err := range client.ReadStream(t.Context(), "order-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Revision != next {
			t.Fatalf("revision %d, want %d", r.Revision, next)
		}
		if next++; next%5000 == 1 {
			proxy.cut()
		}
	}
	if next != count {
		t.Errorf("read %d events", next)
	}
}

func TestSilentStoreIsGivenUp(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t, nodetest.Start(t))
	client := connectWith(t, eventstore.Config{
		ConnectionString: proxy.connectionString(), Timeout: 200 * time.Millisecond, Connections: 1,
	})
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 1)...)
	proxy.setMute(true)
	begin := time.Now()
	_, err := client.Append(t.Context(), "order-1", 0, events("order-1", "d", 1, 1)...)
	if !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("append: %v", err)
	}
	for _, err := range client.ReadStream(t.Context(), "order-1", 0) {
		if !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("read: %v", err)
		}
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("gave up after %v", took)
	}
	proxy.setMute(false)
	proxy.cut()
	eventually(t, func() bool { return client.Ping(t.Context()) == nil })
}

func TestFeedGoesOnAfterCuts(t *testing.T) {
	t.Parallel()
	address := nodetest.Start(t)
	const count = 20_000
	direct := connect(t, address)
	for i := range count / 1000 {
		stream := "order-" + string(rune('a'+i))
		mustAppend(t, direct, stream, eventstore.NoStream, events(stream, "c", 1000*i, 1000)...)
	}
	proxy := newProxy(t, address)
	feed := connect(t, proxy.connectionString()).Feed(eventstore.FeedConfig{Prefixes: []string{"order-"}, PageSize: 300})
	defer feed.Close()
	ctx := within(t, 30*time.Second)
	for got, pages := 0, 0; got < count; pages++ {
		page, err := feed.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Events {
			if name(t, r) != strconv.Itoa(got) {
				t.Fatalf("event %s, want %d", name(t, r), got)
			}
			got++
		}
		if pages%20 == 10 {
			proxy.cut()
		}
	}
}

// However many callers want a store that refuses, it is knocked at by one at a
// time, and ever more rarely.
func TestOneKnocksForAll(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var knocks atomic.Int32
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			knocks.Add(1)
			_ = conn.Close()
		}
	})
	client := connectWith(t, eventstore.Config{
		ConnectionString: "esdb://" + listener.Addr().String() + "?tls=false", Connections: 1,
	})
	ctx := within(t, 500*time.Millisecond)
	for range 50 {
		all.Go(func() {
			for ctx.Err() == nil {
				if err := client.Ping(ctx); !errors.Is(err, eventstore.ErrUnavailable) {
					t.Errorf("got %v", err)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	<-ctx.Done()
	_ = listener.Close()
	all.Wait()
	if n := knocks.Load(); n > 12 {
		t.Errorf("knocked %d times", n)
	}
}
