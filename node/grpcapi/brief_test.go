package grpcapi_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// TestNamesOfMegabytesLeaveTheErrorReadable: clients take a few KiB of headers,
// and see no status when there are more.
func TestNamesOfMegabytesLeaveTheErrorReadable(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	at := address(t)
	c := connect(t, at)
	for name, stream := range map[string]string{"some": strings.Repeat("n", 9<<10), "many": strings.Repeat("é", 1<<19)} {
		mustAppend(t, c, stream, "a")
		_, err := c.DeleteStream(deadline(t), stream, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(7)})
		if err == nil || !strings.Contains(err.Error(), "WrongExpectedVersion") {
			t.Errorf("%s: a delete elsewhere answers %.200v", name, err)
		}
		if _, err := c.TombstoneStream(deadline(t), stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.AppendToStream(deadline(t), stream, revision(-2), events("b")...); code(err) != esdb.ErrorCodeStreamDeleted {
			t.Errorf("%s: an append answers %.200v", name, err)
		}
		conn := dial(t, at, grpc.WithMaxHeaderListSize(8<<10))
		var trailer metadata.MD
		o := &streams.TombstoneReq_Options{
			StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(stream)},
			ExpectedStreamRevision: &streams.TombstoneReq_Options_Any{Any: &shared.Empty{}},
		}
		_, err = streams.NewStreamsClient(conn).Tombstone(deadline(t), &streams.TombstoneReq{Options: o}, grpc.Trailer(&trailer))
		told := strings.Join(trailer.Get("stream-name"), "|")
		if status.Code(err) != codes.FailedPrecondition || len(told) < 1000 || !utf8.ValidString(told) || !strings.HasPrefix(stream, strings.TrimSuffix(told, "...")) {
			t.Errorf("%s: a small client gets %.200v, and the name %.100q", name, err, told)
		}
	}
	exact := strings.Repeat("n", 1<<10)
	if _, err := c.TombstoneStream(deadline(t), exact, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
		t.Fatal(err)
	}
	_, err := c.AppendToStream(deadline(t), exact, revision(-2), events("b")...)
	if e, ok := errors.AsType[*esdb.Error](err); !ok || !strings.Contains(e.Error(), "'"+exact+"'") {
		t.Errorf("a name of a KiB is cut: %v", err)
	}
}
