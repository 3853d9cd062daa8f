package grpcapi_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/waybill-dev/waybill/node/nodetest"
)

// withTime is the batch with as much time as its client gives it.
func withTime(r *batchRequest, d time.Duration) *batchRequest {
	r.Options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(d)}
	return r
}

// begun leaves the batch open.
func begun(r *batchRequest) *batchRequest {
	r.IsFinal = false
	return r
}

// TestOptionsOfAnOpenBatchAreNotTakenAgain: the batch goes on as it began.
func TestOptionsOfAnOpenBatchAreNotTakenAgain(t *testing.T) {
	t.Parallel()
	target := address(t)
	call := openBatches(t, target)
	first, second := begun(wholeBatch(unique("first"), -1, "a")), wholeBatch(unique("second"), -1, "b")
	second.CorrelationId = first.GetCorrelationId()
	sendBatches(t, call, first, second)
	resp := nextBatch(t, call)
	stream := string(first.GetOptions().GetStreamIdentifier().GetStreamName())
	if got := string(resp.GetStreamIdentifier().GetStreamName()); got != stream || resp.GetSuccess().GetCurrentRevision() != 1 {
		t.Errorf("the answer is %v, want revision 1 of %s", resp, stream)
	}
	if got := readAll(t, connect(t, target), stream); got != "ab" {
		t.Errorf("the stream holds %q, want ab", got)
	}
}

// TestARefusedBatchIsOver: its correlation id begins another one, and nothing
// more is told of it.
func TestARefusedBatchIsOver(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	target := address(t)
	call := openBatches(t, target)
	bad := withTime(begun(wholeBatch(unique("bad"), -2, "a")), 50*time.Millisecond)
	bad.ProposedMessages[0].Id = nil
	sendBatches(t, call, bad)
	if _, message, _ := detailsOf(t, nextBatch(t, call)); message != "BadRequest" {
		t.Errorf("the batch answered %s", message)
	}
	good := begun(wholeBatch(unique("good"), -1, "a"))
	good.CorrelationId = bad.GetCorrelationId()
	sendBatches(t, call, good)
	time.Sleep(100 * time.Millisecond) // the time of the refused one is over
	sendBatches(t, call, &batchRequest{CorrelationId: bad.GetCorrelationId(), ProposedMessages: batchEvents("b"), IsFinal: true})
	resp := nextBatch(t, call)
	if got := string(resp.GetStreamIdentifier().GetStreamName()); resp.GetSuccess().GetCurrentRevision() != 1 || !strings.HasPrefix(got, "good") {
		t.Errorf("the next batch of that correlation id answered %v", resp)
	}
}

// TestACorrelationIDIsUsedAgain: the clock of a batch that is written says
// nothing about the next one of its name.
func TestACorrelationIDIsUsedAgain(t *testing.T) {
	t.Parallel()
	call := openBatches(t, address(t))
	stream := unique("again")
	const rounds = 200
	first := begun(wholeBatch(stream, -2, ""))
	answers := make(chan *streams.BatchAppendResp, rounds)
	go func() {
		defer close(answers)
		for range rounds {
			resp, err := call.Recv()
			if err != nil {
				t.Error(err)
				return
			}
			answers <- resp
		}
	}()
	for range rounds {
		first.ProposedMessages = []*streams.BatchAppendReq_ProposedMessage{heavyEvent(10)}
		sendBatches(t, call, first, &batchRequest{
			CorrelationId: first.GetCorrelationId(), ProposedMessages: []*streams.BatchAppendReq_ProposedMessage{heavyEvent(10)}, IsFinal: true,
		})
	}
	revision := uint64(0)
	for resp := range answers {
		if revision += 2; resp.GetSuccess().GetCurrentRevision() != revision-1 {
			t.Fatalf("answer %d is %v", revision/2, resp)
		}
	}
}

// TestBatchesThatAreDoneHoldNoMemory: of one call, and of all of them, what is
// bounded is what has not arrived whole.
func TestBatchesThatAreDoneHoldNoMemory(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	target := address(t)
	for range 2 { // together more than all calls may hold
		call := openBatches(t, target)
		stream := unique("much")
		for i := range 72 { // more than one call may hold
			r := wholeBatch(stream, -2, "")
			r.ProposedMessages = []*streams.BatchAppendReq_ProposedMessage{heavyEvent(1000 << 10)}
			sendBatches(t, call, r)
			if resp := nextBatch(t, call); codes.Code(resp.GetError().GetCode()) == codes.Unavailable {
				t.Fatalf("batch %d answered %v", i, resp)
			}
		}
	}
}

// TestABatchIsNotWaitedForLongerThanItsTime: what the node gives it at most, and
// what its client gives it where the disk is slow.
func TestABatchIsNotWaitedForLongerThanItsTime(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	t.Run("never whole", func(t *testing.T) {
		t.Parallel()
		call := openBatches(t, address(t))
		sendBatches(t, call, withTime(begun(wholeBatch(unique("open"), -2, "a")), time.Hour))
		timesOut(t, call)
	})
	t.Run("not on the disk", func(t *testing.T) {
		t.Parallel()
		var held sync.RWMutex
		cfg := small()
		cfg.FS = errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
				held.RLock()
				defer held.RUnlock()
			}
			return nil
		}))
		call := openBatches(t, nodetest.New(t, nodetest.Config{Node: cfg}).ConnectionString())
		held.Lock()
		defer held.Unlock()
		sendBatches(t, call, withTime(wholeBatch(unique("slow"), -2, "a"), 100*time.Millisecond))
		timesOut(t, call)
	})
}

func timesOut(t *testing.T, call streams.Streams_BatchAppendClient) {
	t.Helper()
	began := time.Now()
	_, message, details := detailsOf(t, nextBatch(t, call))
	if _, ok := details.(*shared.Timeout); !ok || message != "Timeout" || time.Since(began) > 10*time.Second {
		t.Errorf("after %s the batch answered %s %v, want a timeout", time.Since(began), message, details)
	}
}
