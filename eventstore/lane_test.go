package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// lane makes the stream "order-1" of one event, and waits for the lane.
func lane(tb testing.TB, client *eventstore.Client) {
	tb.Helper()
	mustAppend(tb, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 1)...)
	eventually(tb, client.LaneOpen)
}

func TestAppendsShareOneCall(t *testing.T) {
	t.Parallel()
	client := start(t)
	lane(t, client)
	const streams, each = 20, 10
	var group sync.WaitGroup
	for s := range streams {
		group.Go(func() {
			stream := fmt.Sprint("order-many-", s)
			for i := range each {
				done := mustAppend(t, client, stream, eventstore.Revision(2*i-1), events(stream, fmt.Sprint(i), 2*i, 2)...)
				if done.Revision != eventstore.Revision(2*i+1) || done.Position == 0 {
					t.Errorf("%s: %+v", stream, done)
				}
			}
		})
	}
	group.Wait()
	if got := client.Sent(); got != streams*each {
		t.Errorf("%d appends went over the lane, want %d", got, streams*each)
	}
	for s := range streams {
		if got := len(names(t, client, fmt.Sprint("order-many-", s))); got != 2*each {
			t.Errorf("stream %d has %d events", s, got)
		}
	}
}

func TestTheLaneAnswersConflictsAndRepeats(t *testing.T) {
	t.Parallel()
	client := start(t)
	lane(t, client)
	first := mustAppend(t, client, "order-1", 0, events("order-1", "d", 1, 1)...)
	if again := mustAppend(t, client, "order-1", 0, events("order-1", "d", 1, 1)...); again != first {
		t.Errorf("answered %+v, and then %+v", first, again)
	}
	for _, expected := range []eventstore.Revision{eventstore.NoStream, 0, 7} {
		if _, err := client.Append(t.Context(), "order-1", expected, events("order-1", "e", 1, 1)...); !errors.Is(err, eventstore.ErrConflict) {
			t.Errorf("expecting %d: %v", expected, err)
		}
	}
	if got := client.Sent(); got != 5 {
		t.Errorf("%d went over the lane, want 5", got)
	}
}

func TestWhatIsNoMatterOfSpeedGoesTheOtherWay(t *testing.T) {
	t.Parallel()
	client := start(t)
	lane(t, client)
	big := events("order-1", "big", 1, 1)
	big[0].Event = Named{Name: strings.Repeat("x", 200<<10)}
	mustAppend(t, client, "order-1", 0, big...)
	mustAppend(t, client, "order-1", eventstore.Any, events("order-1", "any", 1, 1)...)
	if got := client.Sent(); got != 0 {
		t.Errorf("%d went over the lane", got)
	}
}

func TestAnOutcomeThatIsUnknownOnTheLaneIsFoundOut(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t, nodetest.Start(t))
	client := connectWith(t, eventstore.Config{ConnectionString: proxy.connectionString(), Connections: 1})
	lane(t, client)
	proxy.arm()
	done := mustAppend(t, client, "order-1", 0, events("order-1", "d", 1, 2)...)
	if proxy.countCuts() != 1 || done.Revision != 2 {
		t.Errorf("%d cuts, answer %+v", proxy.countCuts(), done)
	}
	eventually(t, func() bool { // and the lane is opened again
		stream := fmt.Sprint("order-", time.Now().UnixNano())
		mustAppend(t, client, stream, eventstore.NoStream, events(stream, "c", 0, 1)...)
		return client.LaneOpen()
	})
	if diff := cmp.Diff([]string{"0", "1", "2"}, names(t, client, "order-1")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestALaneThatIsSilentIsGivenUp(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t, nodetest.Start(t))
	client := connectWith(t, eventstore.Config{
		ConnectionString: proxy.connectionString(), Timeout: 200 * time.Millisecond, Connections: 1,
	})
	lane(t, client)
	proxy.setMute(true)
	_, err := client.Append(t.Context(), "order-1", 0, events("order-1", "d", 1, 1)...)
	if !errors.Is(err, eventstore.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("append: %v", err)
	}
	eventually(t, func() bool { return !client.LaneOpen() })
}

// A caller who gives up takes the lane from nobody.
func TestACallerWhoGivesUpLeavesTheLaneToOthers(t *testing.T) {
	t.Parallel()
	client := start(t)
	lane(t, client)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		for i := range 200 {
			if i == 100 {
				cancel()
			}
			stream := fmt.Sprint("order-patient-", i)
			mustAppend(t, client, stream, eventstore.NoStream, events(stream, "c", 0, 1)...)
		}
	})
	for i := range 200 {
		stream := fmt.Sprint("order-hasty-", i)
		_, err := client.Append(ctx, stream, eventstore.NoStream, events(stream, "c", 0, 1)...)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("append: %v", err)
		}
	}
	group.Wait()
}

// old is a server that came before calls for many appends.
type old struct {
	streams.UnimplementedStreamsServer
	mu    sync.Mutex
	calls int
}

func (o *old) Append(stream streams.Streams_AppendServer) error {
	for {
		if _, err := stream.Recv(); err != nil {
			break
		}
	}
	return stream.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		PositionOption: &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{CommitPosition: 1}},
	}}})
}

func (o *old) BatchAppend(stream streams.Streams_BatchAppendServer) error {
	o.mu.Lock()
	o.calls++
	o.mu.Unlock()
	return o.UnimplementedStreamsServer.BatchAppend(stream)
}

func TestAServerThatKnowsNoLanesIsAskedOnce(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, store := grpc.NewServer(), &old{}
	streams.RegisterStreamsServer(server, store)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	client := connect(t, "esdb://"+listener.Addr().String()+"?tls=false")
	for i := range 3 {
		mustAppend(t, client, "order-1", eventstore.Revision(i), events("order-1", fmt.Sprint(i), 0, 1)...)
		eventually(t, client.LaneUseless)
	}
	store.mu.Lock()
	defer store.mu.Unlock()
	if store.calls != 1 {
		t.Errorf("asked %d times", store.calls)
	}
}
