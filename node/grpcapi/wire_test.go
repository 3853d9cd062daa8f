package grpcapi

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/waybill-dev/waybill/node"
)

func TestEventsAreWrittenAsTheProtocolSays(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 500 {
		r, link := randomRecord(rng), (*node.Record)(nil)
		if i%3 == 1 {
			link = randomRecord(rng)
		}
		if i%6 == 4 {
			r = nil // a link that points nowhere
		}
		text := i%2 == 1
		a := newEventAnswer(r, link, text)
		b := a.appendTo(nil)
		if len(b) != a.size() {
			t.Fatalf("the answer has %d bytes and said %d", len(b), a.size())
		}
		var got streams.ReadResp
		if err := proto.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(generated(r, link, text), &got, protocmp.Transform()); diff != "" {
			t.Fatalf("the answer differs (-want +got):\n%s", diff)
		}
	}
}

func randomRecord(rng *rand.Rand) *node.Record {
	bytes := func() []byte {
		b := make([]byte, rng.IntN(300))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	big := func() uint64 { return rng.Uint64() >> rng.IntN(64) }
	return &node.Record{
		Position: big(), Stream: strings.Repeat("s", rng.IntN(200)), Revision: big(),
		ID: uuid.UUID(append(bytes(), make([]byte, 16)...)[:16]), Type: strings.Repeat("t", rng.IntN(200)),
		JSON: rng.IntN(2) == 0, Created: int64(big() % math.MaxInt64), Data: bytes(), Metadata: bytes(),
	}
}

// generated is the same answer by the generated code.
func generated(r, link *node.Record, text bool) *streams.ReadResp {
	position := link
	if link == nil {
		position = r
	}
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: generatedRecord(r, text), Link: generatedRecord(link, text),
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: position.Position},
	}}}
}

func generatedRecord(r *node.Record, text bool) *streams.ReadResp_ReadEvent_RecordedEvent {
	if r == nil {
		return nil
	}
	most, least := splitID(r.ID)
	id := &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits: int64(most), LeastSignificantBits: int64(least),
	}}}
	if text {
		id = &shared.UUID{Value: &shared.UUID_String_{String_: r.ID.String()}}
	}
	return &streams.ReadResp_ReadEvent_RecordedEvent{
		Id:               id,
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(r.Stream)},
		StreamRevision:   r.Revision, PreparePosition: r.Position, CommitPosition: r.Position,
		Metadata: map[string]string{
			metaType: r.Type, metaContentType: contentType(r), metaCreated: strconv.FormatInt(r.Created, 10),
		},
		CustomMetadata: r.Metadata, Data: r.Data,
	}
}

func TestAKeptAnswerIsThatOfEverybody(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		r := randomRecord(rng)
		want := newEventAnswer(r, nil, false).appendTo(nil)
		for range 2 {
			got, err := newCodec().Marshal(keptFor(r))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, got.Materialize()) {
				t.Fatal("the kept answer is not the event's")
			}
			got.Free()
		}
	}
}
