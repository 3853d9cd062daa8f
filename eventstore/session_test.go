package eventstore

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waybill-dev/waybill/node/nodetest"
)

func TestCallThatBlocksIsLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lost atomic.Int32
		s := &session{
			client: idleClient(t),
			ended:  make(chan struct{}),
			lost:   func(s *session, _ error) { lost.Add(1); s.end() },
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		free := make(chan struct{})
		begin := time.Now()
		s.use()
		_, err := call(ctx, s, func(*esdb.Client) (int, error) {
			<-free
			return 1, nil
		})
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begin); took != 5*time.Second+patience {
			t.Errorf("took %v", took)
		}
		if lost.Load() != 1 || s.use() {
			t.Error("the session goes on")
		}
		close(free)
	})
}

// idleClient is a client whose channel nobody uses; it is closed in the end.
func idleClient(tb testing.TB) *esdb.Client {
	tb.Helper()
	client, err := esdb.NewClient(&esdb.Configuration{Address: "127.0.0.1:1", DisableTLS: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

func TestProtect(t *testing.T) {
	t.Parallel()
	closed := make(chan int)
	close(closed)
	for name, c := range map[string]struct {
		f           func() (int, error)
		unavailable bool
	}{
		"a send on a closed channel": {func() (int, error) { closed <- 1; return 1, nil }, true},
		"an answer nobody expected":  {func() (int, error) { panic("unreachable code") }, false},
		"an interruption": {func() (int, error) {
			interrupt(esdb.LogError, "unexpected exception: %v", status.Error(codes.Unavailable, "x"))
			return 1, nil
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := protect(c.f)
			if err == nil || errors.Is(understand(err), ErrUnavailable) != c.unavailable {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The client library gives up for ever when a discovery fails, which it starts
// by itself after a lost connection. It does not come to that in a session.
func TestClientLibraryIsKeptFromDiscovering(t *testing.T) {
	t.Parallel()
	node := nodetest.New(t, nodetest.Config{Dir: t.TempDir()})
	settings, err := Config{ConnectionString: node.ConnectionString()}.settings()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSession(settings, func(*session, error) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.end()
	appending := func() error {
		s.use()
		_, err := call(t.Context(), s, func(client *esdb.Client) (*esdb.WriteResult, error) {
			return client.AppendToStream(t.Context(), "order-1", esdb.AppendToStreamOptions{}, esdb.EventData{EventType: "x"})
		})
		return err
	}
	if err := appending(); err != nil {
		t.Fatal(err)
	}
	node.Stop()
	for range 5 {
		if err := appending(); !isFault(err, faultLost, faultUnsent) {
			t.Errorf("got %v", err)
		}
		if _, err := protect(s.client.GetServerVersion); err != nil {
			t.Errorf("the client is dead: %v", err)
		}
	}
}
