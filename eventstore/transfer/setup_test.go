package transfer_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/eventstore/transfer"
	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/nodetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/EventStore/EventStore-Client-Go/v4/esdb.connectionStateMachine"))
}

func deadline(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	tb.Cleanup(cancel)
	return ctx
}

func serve(tb testing.TB) *nodetest.Node {
	tb.Helper()
	return nodetest.New(tb, nodetest.Config{Node: node.Config{CacheBytes: 1 << 20, MemTableBytes: 1 << 20, TailBytes: 1 << 20}})
}

func connect(tb testing.TB, connection string) *esdb.Client {
	tb.Helper()
	cfg, err := esdb.ParseConnectionString(connection)
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

// history writes what a log can hold, at random: streams of the names given.
func history(tb testing.TB, connection string, seed uint64, steps int) {
	tb.Helper()
	c, rng := connect(tb, connection), rand.New(rand.NewPCG(seed, 2))
	ctx := deadline(tb)
	for range steps {
		stream := fmt.Sprintf("order-%d", rng.IntN(9))
		var err error
		switch k := rng.IntN(50); {
		case k < 38:
			_, err = c.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, someEvents(rng)...)
		case k < 42:
			m := esdb.StreamMetadata{}
			m.SetMaxCount(uint64(1 + rng.IntN(20)))
			m.AddCustomProperty("colour", "red")
			_, err = c.SetStreamMetadata(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, m)
		case k < 44:
			_, err = c.DeleteStream(ctx, stream, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
		case k < 46:
			_, err = c.AppendToStream(ctx, "$system", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, someEvents(rng)...)
		case k < 48:
			link := esdb.EventData{EventID: uuid.New(), EventType: "$>", Data: fmt.Appendf(nil, "0@%s", stream)}
			_, err = c.AppendToStream(ctx, "links", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, link)
		case rng.IntN(3) == 0:
			_, err = c.TombstoneStream(ctx, stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
		}
		refused := err != nil && (strings.Contains(err.Error(), "is deleted") || strings.Contains(err.Error(), "WrongExpectedVersion"))
		if err != nil && !refused {
			tb.Fatal(err)
		}
	}
}

func someEvents(rng *rand.Rand) []esdb.EventData {
	list := make([]esdb.EventData, 1+rng.IntN(3))
	for i := range list {
		list[i] = esdb.EventData{
			EventID: uuid.New(), EventType: fmt.Sprintf("Type%d", rng.IntN(4)),
			Metadata: fmt.Appendf(nil, `{"$correlationId":"c%d"}`, rng.IntN(20)),
		}
		switch rng.IntN(4) {
		case 0:
			list[i].Data = []byte{0, 1, 0xff, byte(rng.IntN(256))}
		case 1:
		default:
			list[i].ContentType = esdb.ContentTypeJson
			list[i].Data = fmt.Appendf(nil, "{ \"n\" : %d, \"text\":\"<é\u2028>\"\n}", rng.IntN(1000))
		}
	}
	return list
}

// contents are all streams of a history as clients read them, but for what is
// new in every database: times and positions.
func contents(tb testing.TB, connection string) map[string][]string {
	tb.Helper()
	c := connect(tb, connection)
	all := map[string][]string{}
	for i := range 9 {
		for _, prefix := range []string{"", "$$"} {
			stream := fmt.Sprintf("%sorder-%d", prefix, i)
			all[stream] = content(tb, c, stream)
		}
	}
	all["links"] = content(tb, c, "links")
	return all
}

func content(tb testing.TB, c *esdb.Client, stream string) (list []string) {
	tb.Helper()
	events, err := c.ReadStream(deadline(tb), stream, esdb.ReadStreamOptions{From: esdb.Start{}}, math.MaxInt64)
	if err != nil {
		tb.Fatal(err)
	}
	defer events.Close()
	for {
		e, err := events.Recv()
		if errors.Is(err, io.EOF) {
			return list
		}
		if known, ok := errors.AsType[*esdb.Error](err); ok {
			return append(list, fmt.Sprintf("error %d", known.Code()))
		}
		if err != nil {
			tb.Fatal(err)
		}
		r := e.OriginalEvent()
		revision := fmt.Sprint(r.EventNumber)
		if r.EventType == "$metadata" {
			revision = "last" // older ones are not carried over
		}
		list = append(list, fmt.Sprintf("%s %s %s %s %s %s", revision, r.EventID, r.EventType, r.ContentType,
			base64.StdEncoding.EncodeToString(r.Data), base64.StdEncoding.EncodeToString(r.UserMetadata)))
	}
}

// events counts the log.
func events(tb testing.TB, connection string) (n int) {
	tb.Helper()
	log, err := connect(tb, connection).ReadAll(deadline(tb), esdb.ReadAllOptions{From: esdb.Start{}}, math.MaxInt64)
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close()
	for {
		if _, err := log.Recv(); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			tb.Fatal(err)
		}
		n++
	}
}

func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

func fileIn(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "log.wbx")
}

func exportTo(tb testing.TB, connection, file string) *transfer.Exported {
	tb.Helper()
	e := transfer.Export{From: transfer.Database{ConnectionString: connection}, File: file, Now: noon}
	done, err := e.Run(deadline(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return done
}

func importInto(tb testing.TB, connection, file string) *transfer.Imported {
	tb.Helper()
	i := transfer.Import{To: transfer.Database{ConnectionString: connection}, File: file}
	done, err := i.Run(deadline(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return done
}
