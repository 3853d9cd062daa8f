package grpcapi_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waybill-dev/waybill/node/nodetest"
)

// TestWhatAWrongExpectationAnswers is for clients that tell their callers where
// the stream is; that of Go does not.
func TestWhatAWrongExpectationAnswers(t *testing.T) {
	t.Parallel()
	target := address(t)
	c, api := connect(t, target), streams.NewStreamsClient(dial(t, target))
	written, missing := unique("written"), unique("missing")
	mustAppend(t, c, written, "ab")
	for _, row := range []struct {
		stream string
		expect func(*streams.AppendReq_Options)
		want   string
	}{
		{written, func(o *streams.AppendReq_Options) {
			o.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: 7}
		}, "expected 7, is at 1"},
		{written, func(o *streams.AppendReq_Options) {
			o.ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}
		}, "expected no stream, is at 1"},
		{missing, func(o *streams.AppendReq_Options) {
			o.ExpectedStreamRevision = &streams.AppendReq_Options_StreamExists{StreamExists: &shared.Empty{}}
		}, "expected a stream, is none"},
		{missing, func(o *streams.AppendReq_Options) {
			o.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: 0}
		}, "expected 0, is none"},
	} {
		call, err := api.Append(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		first := options(row.stream)
		row.expect(first.GetOptions())
		if err := errors.Join(call.Send(first), call.Send(proposed(uuid.New(), map[string]string{"type": "T", "content-type": "x"}, 1))); err != nil {
			t.Fatal(err)
		}
		resp, err := call.CloseAndRecv()
		if err != nil {
			t.Fatal(err)
		}
		if got := wrongText(resp.GetWrongExpectedVersion()); got != row.want {
			t.Errorf("the answer is %q, want %q", got, row.want)
		}
	}
}

func wrongText(w *streams.AppendResp_WrongExpectedVersion) string {
	expected, current := "nothing", "nowhere"
	switch e := w.GetExpectedRevisionOption().(type) {
	case *streams.AppendResp_WrongExpectedVersion_ExpectedRevision:
		expected = fmt.Sprint(e.ExpectedRevision)
	case *streams.AppendResp_WrongExpectedVersion_ExpectedNoStream:
		expected = "no stream"
	case *streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists:
		expected = "a stream"
	}
	switch c := w.GetCurrentRevisionOption().(type) {
	case *streams.AppendResp_WrongExpectedVersion_CurrentRevision:
		current = fmt.Sprint("at ", c.CurrentRevision)
	case *streams.AppendResp_WrongExpectedVersion_CurrentNoStream:
		current = "none"
	}
	return "expected " + expected + ", is " + current
}

// TestWhoNeverEndsAnAppendIsAnswered although the answer waits for the end of
// what is sent.
func TestWhoNeverEndsAnAppendIsAnswered(t *testing.T) {
	t.Parallel()
	onlyHere(t) // the original answers at once
	call, err := streams.NewStreamsClient(dial(t, address(t))).Append(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := call.Send(options("s\n")); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := call.RecvMsg(new(streams.AppendResp)); status.Code(err) != codes.InvalidArgument {
		t.Errorf("the append was answered %v", err)
	}
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("the answer came after %s", took)
	}
}

// TestStopCutsWhatDoesNotEnd: a shutdown does not wait for a caller who has
// gone to lunch.
func TestStopCutsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	n := nodetest.New(t, nodetest.Config{Node: small()})
	call, err := streams.NewStreamsClient(dial(t, n.ConnectionString())).Append(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := call.Send(options("s")); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		n.Stop()
	}()
	if err := call.RecvMsg(new(streams.AppendResp)); status.Code(err) != codes.Unavailable {
		t.Errorf("the append was answered %v", err)
	}
	select {
	case <-stopped:
	case <-time.After(15 * time.Second):
		t.Fatal("the node waits for an append that does not end")
	}
}

// TestWhatIsNotOfferedIsUnsupported: clients tell that from a failure.
func TestWhatIsNotOfferedIsUnsupported(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	projections := esdb.NewProjectionClientFromExistingClient(connect(t, address(t)))
	if _, err := projections.ListAll(deadline(t), esdb.GenericProjectionOptions{}); err == nil {
		t.Error("there are projections")
	} else if e := (*esdb.Error)(nil); !errors.As(err, &e) || e.Code() != esdb.ErrorCodeUnsupportedFeature {
		t.Errorf("the list of projections is refused with %v", err)
	}
	// The features that are offered leave nothing to ask over HTTP.
	if status, _ := get(t, address(t), "/subscriptions"); status != 404 {
		t.Errorf("/subscriptions answers %d", status)
	}
}
