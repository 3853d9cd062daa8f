package grpcapi

import (
	"errors"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/waybill-dev/waybill/node"
)

// FuzzBatchAnswerIsWrittenAsGenerated compares with the generated code, which
// has to read what is written here, and of the size that was promised.
func FuzzBatchAnswerIsWrittenAsGenerated(f *testing.F) {
	f.Add(int64(0), int64(5), "order-1", int64(3), uint64(4711), false)
	f.Add(int64(-1), int64(0), "", int64(-1), uint64(0), false)
	f.Add(int64(1)<<62, int64(-7), "\xff", int64(1)<<40, ^uint64(0), true)
	f.Fuzz(func(t *testing.T, most, least int64, stream string, revision int64, position uint64, refused bool) {
		id := &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
			MostSignificantBits: most, LeastSignificantBits: least,
		}}}
		done := node.Appended{Revision: max(revision, -1), Position: position}
		want := &streams.BatchAppendResp{
			CorrelationId: id, StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)}, Result: batchSuccess(done),
		}
		var err error
		if refused {
			err = errors.New("refused")
			want.Result = &streams.BatchAppendResp_Error{Error: explainBatch(err)}
		}
		a, err := newBatchAnswer(id, stream, explainBatch(err), done)
		if err != nil {
			t.Fatal(err)
		}
		written, got := a.appendTo(nil), &streams.BatchAppendResp{}
		if len(written) != a.size() {
			t.Errorf("%d bytes were written, %d promised", len(written), a.size())
		}
		if err := proto.Unmarshal(written, got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("the answer reads (-want +got):\n%s", diff)
		}
	})
}

func TestABatchWithARecordThatIsTooLargeIsAnInvalidTransaction(t *testing.T) {
	t.Parallel()
	s := explainBatch(&node.RecordTooLargeError{Limit: 1})
	if codes.Code(s.GetCode()) != codes.FailedPrecondition || len(s.GetDetails()) != 1 || !s.GetDetails()[0].MessageIs(&shared.InvalidTransaction{}) {
		t.Errorf("the answer is %v", s)
	}
}
