package grpcapi_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/waybill-dev/waybill/node/lineartest"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// A contender does random things to a stream through a client of its own, and
// repeats what got no answer.
type contender struct {
	tb        testing.TB
	number    int
	rng       *rand.Rand
	history   *lineartest.History
	node      *nodetest.Node
	restarted <-chan struct{} // closed when it was
	client    *esdb.Client
	batches   streams.StreamsClient // nil for one that appends as the official client does
	stream    string
	ids       int
	at        int64 // where it believes the stream to be
}

func (c *contender) work(ctx context.Context, steps int) {
	var again *lineartest.Request
	for step := 0; step < steps && ctx.Err() == nil; step++ {
		r := c.choose()
		if c.number == 0 && step == steps-5 {
			r = lineartest.Request{Kind: lineartest.Tombstone, Expected: lineartest.Any}
		}
		if again != nil {
			r, again = *again, nil
		}
		answered := c.history.Begin(c.number, r)
		answer, err := c.ask(ctx, r)
		if err == nil {
			answered(answer)
			continue
		}
		if r.Kind == lineartest.Append {
			again = &r
		}
		// A client that looks for the node in vain never connects again, and one
		// that finds it again forgets to close its first connection.
		_ = c.client.Close()
		select {
		case <-c.restarted:
		case <-ctx.Done():
			return
		}
		c.client = connect(c.tb, c.node.ConnectionString())
	}
}

func (c *contender) choose() lineartest.Request {
	n := c.rng.IntN(100)
	switch {
	case n < 40:
		return lineartest.Request{Kind: lineartest.Read}
	case n < 45:
		return lineartest.Request{Kind: lineartest.Delete, Expected: lineartest.Any}
	case n < 52:
		return lineartest.Request{Kind: lineartest.Truncate, From: c.rng.Int64N(c.at + 4)}
	}
	r := lineartest.Request{Kind: lineartest.Append, Expected: lineartest.Any}
	switch c.rng.IntN(4) {
	case 0:
	case 1:
		r.Expected = lineartest.NoStream
	default:
		r.Expected = c.at
	}
	for range 1 + c.rng.IntN(3) {
		c.ids++
		r.IDs = append(r.IDs, fmt.Sprintf("%d.%d", c.number, c.ids))
	}
	return r
}

// ask returns an error when nobody knows what became of the request.
func (c *contender) ask(ctx context.Context, r lineartest.Request) (lineartest.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	switch r.Kind {
	case lineartest.Read:
		return c.read(ctx)
	case lineartest.Delete:
		_, err := c.client.DeleteStream(ctx, c.stream, deleteOptions(r.Expected))
		return answerOf(lineartest.Unknown, err)
	case lineartest.Tombstone:
		_, err := c.client.TombstoneStream(ctx, c.stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
		return answerOf(lineartest.Unknown, err)
	case lineartest.Truncate:
		m := esdb.StreamMetadata{}
		m.SetTruncateBefore(uint64(r.From))
		_, err := c.client.SetStreamMetadata(ctx, c.stream, revision(lineartest.Any), m)
		return answerOf(lineartest.Unknown, err)
	case lineartest.Append:
	}
	if c.batches != nil {
		return c.appendBatch(ctx, r)
	}
	list := make([]esdb.EventData, len(r.IDs))
	for i, id := range r.IDs {
		list[i] = esdb.EventData{
			EventID: eventID(id), EventType: "Contended", ContentType: esdb.ContentTypeBinary, Data: []byte(id),
		}
	}
	done, err := c.client.AppendToStream(ctx, c.stream, revision(r.Expected), list...)
	if err != nil {
		return answerOf(lineartest.Unknown, err)
	}
	c.at = int64(done.NextExpectedVersion)
	return answerOf(c.at, nil)
}

// appendBatch appends as clients of other languages do, an event at a time.
func (c *contender) appendBatch(ctx context.Context, r lineartest.Request) (lineartest.Answer, error) {
	call, err := c.batches.BatchAppend(ctx, grpc.WaitForReady(true))
	if err != nil {
		return lineartest.Answer{}, err
	}
	options := &streams.BatchAppendReq_Options{
		StreamIdentifier: identifier(c.stream),
		DeadlineOption:   &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(time.Second)},
	}
	switch r.Expected {
	case lineartest.Any:
		options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}}
	case lineartest.NoStream:
		options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	default:
		options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: uint64(r.Expected)}
	}
	for i, id := range r.IDs {
		most, least := halves(eventID(id))
		err = call.Send(&streams.BatchAppendReq{
			CorrelationId: &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewSHA1(uuid.NameSpaceURL, []byte(r.IDs[0])).String()}},
			Options:       options, IsFinal: i == len(r.IDs)-1,
			ProposedMessages: []*streams.BatchAppendReq_ProposedMessage{{
				Id:       &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: most, LeastSignificantBits: least}}},
				Metadata: map[string]string{"type": "Contended", "content-type": "application/octet-stream"}, Data: []byte(id),
			}},
		})
		if err != nil {
			return lineartest.Answer{}, err
		}
		options = nil
	}
	resp, err := call.Recv()
	if err != nil {
		return lineartest.Answer{}, err
	}
	switch code := codes.Code(resp.GetError().GetCode()); {
	case resp.GetSuccess() != nil:
		c.at = int64(resp.GetSuccess().GetCurrentRevision())
		return lineartest.Answer{Revision: c.at}, nil
	case code == codes.AlreadyExists:
		return lineartest.Answer{Refusal: lineartest.Wrong, Revision: lineartest.Unknown}, nil
	case code == codes.NotFound:
		return lineartest.Answer{Refusal: lineartest.Deleted, Revision: lineartest.Unknown}, nil
	}
	return lineartest.Answer{}, fmt.Errorf("the batch answered %v", resp)
}

func eventID(name string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)) }

func halves(id uuid.UUID) (most, least int64) {
	return int64(binary.BigEndian.Uint64(id[:8])), int64(binary.BigEndian.Uint64(id[8:]))
}

// answerOf tells a refusal from no answer. The client has no code for the
// refusal of a delete.
func answerOf(revision int64, err error) (lineartest.Answer, error) {
	switch {
	case code(err) == esdb.ErrorCodeWrongExpectedVersion, err != nil && strings.Contains(err.Error(), "WrongExpectedVersion"):
		return lineartest.Answer{Refusal: lineartest.Wrong, Revision: lineartest.Unknown}, nil
	case code(err) == esdb.ErrorCodeResourceNotFound:
		return lineartest.Answer{Refusal: lineartest.Missing, Revision: lineartest.Unknown}, nil
	case code(err) == esdb.ErrorCodeStreamDeleted:
		return lineartest.Answer{Refusal: lineartest.Deleted, Revision: lineartest.Unknown}, nil
	}
	return lineartest.Answer{Revision: revision}, err
}

func (c *contender) read(ctx context.Context) (a lineartest.Answer, err error) {
	s, err := c.client.ReadStream(ctx, c.stream, esdb.ReadStreamOptions{}, 1<<20)
	if err != nil {
		return a, err
	}
	defer s.Close()
	for {
		e, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return answerOf(lineartest.Unknown, err)
		}
		if len(a.IDs) == 0 {
			a.First = int64(e.Event.EventNumber)
		}
		a.IDs = append(a.IDs, string(e.Event.Data))
	}
}

// TestOneStreamIsLinearizableForClients has several clients at one stream while
// the node is stopped and started again.
func TestOneStreamIsLinearizableForClients(t *testing.T) {
	t.Parallel()
	const clients, steps = 4, 40
	n := nodetest.New(t, nodetest.Config{Node: small()})
	ctx, stop := context.WithCancel(deadline(t))
	defer stop()
	var h lineartest.History
	restarted := make(chan struct{})
	var working sync.WaitGroup
	for i := range clients {
		c := &contender{
			tb: t, number: i, rng: rand.New(rand.NewPCG(7, uint64(i))), history: &h, node: n, restarted: restarted,
			client: connect(t, n.ConnectionString()), stream: "contended", at: -1,
		}
		if i%2 == 1 {
			c.batches = streams.NewStreamsClient(dial(t, n.ConnectionString()))
		}
		working.Go(func() { c.work(ctx, steps) })
	}
	for sent := 0; sent < clients*steps/2; sent, _ = h.Size() {
		time.Sleep(100 * time.Microsecond)
	}
	n.Restart()
	close(restarted)
	working.Wait()
	sent, answered := h.Size()
	if answered < sent/2 {
		t.Errorf("only %d of %d requests were answered", answered, sent)
	}
	if err := h.Check(20 * time.Second); err != nil {
		t.Error(err)
	}
}
