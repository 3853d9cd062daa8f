package grpcapi_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/nodetest"
)

func TestMain(m *testing.M) {
	// The client's own goroutine outlives Close when it was never used again.
	if os.Getenv(childVariable) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/EventStore/EventStore-Client-Go/v4/esdb.connectionStateMachine"))
}

// conformance names the variable with the connection string of a real server to
// run the same tests against.
const conformance = "WAYBILL_CONFORMANCE"

// address is the server the tests of the protocol run against.
func address(tb testing.TB) string {
	tb.Helper()
	if real := os.Getenv(conformance); real != "" {
		return real
	}
	return nodetest.New(tb, nodetest.Config{Node: small()}).ConnectionString()
}

// onlyHere skips a test of what this node does otherwise than the original.
func onlyHere(tb testing.TB) {
	tb.Helper()
	if os.Getenv(conformance) != "" {
		tb.Skipf("%s is set: the original differs", conformance)
	}
}

// small is a node of which many fit beside each other.
func small() node.Config {
	return node.Config{CacheBytes: 1 << 20, MemTableBytes: 1 << 20}
}

func connect(tb testing.TB, address string) *esdb.Client {
	tb.Helper()
	cfg, err := esdb.ParseConnectionString(address)
	if err != nil {
		tb.Fatal(err)
	}
	cfg.Logger = esdb.NoopLogging()
	c, err := esdb.NewClient(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func deadline(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// unique is a stream name that a server which keeps its data has not seen.
func unique(prefix string) string {
	return prefix + "-" + strings.ReplaceAll(uuid.NewString(), "-", "")
}

// events makes one event per letter. Equal letters are equal ids, in the same
// stream or in another.
func events(letters string) []esdb.EventData {
	list := make([]esdb.EventData, 0, len(letters))
	for _, letter := range letters {
		name := string(letter)
		list = append(list, esdb.EventData{
			EventID:     uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)),
			EventType:   "Type" + strings.ToUpper(name),
			ContentType: esdb.ContentTypeJson,
			Data:        []byte(`{"letter":"` + name + `"}`),
			Metadata:    []byte(`{"meta":"` + name + `"}`),
		})
	}
	return list
}

// revision is the shortest way to an expected revision: a number, or -1 no
// stream, -2 any, -4 stream exists.
func revision(n int64) esdb.AppendToStreamOptions {
	switch n {
	case -1:
		return esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
	case -2:
		return esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}
	case -4:
		return esdb.AppendToStreamOptions{ExpectedRevision: esdb.StreamExists{}}
	}
	return esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(uint64(n))}
}

func mustAppend(tb testing.TB, c *esdb.Client, stream, letters string) *esdb.WriteResult {
	tb.Helper()
	r, err := c.AppendToStream(deadline(tb), stream, revision(-2), events(letters)...)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// letters is what a read returns, as the letters the events were made from.
func letters(tb testing.TB, s *esdb.ReadStream, err error) string {
	tb.Helper()
	var b strings.Builder
	for _, e := range collect(tb, s, err) {
		b.WriteString(letterOf(e))
	}
	return b.String()
}

func letterOf(e *esdb.ResolvedEvent) string {
	return strings.ToLower(strings.TrimPrefix(e.Event.EventType, "Type"))
}

func collect(tb testing.TB, s *esdb.ReadStream, err error) []*esdb.ResolvedEvent {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	var list []*esdb.ResolvedEvent
	for {
		e, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, e)
	}
}

func readAll(tb testing.TB, c *esdb.Client, stream string) string {
	tb.Helper()
	s, err := c.ReadStream(deadline(tb), stream, esdb.ReadStreamOptions{}, 1<<20)
	return letters(tb, s, err)
}

// code is the client's code for an error; -1 is none.
func code(err error) esdb.ErrorCode {
	if e, ok := errors.AsType[*esdb.Error](err); ok {
		return e.Code()
	}
	if err != nil {
		return esdb.ErrorCodeUnknown
	}
	return -1
}
