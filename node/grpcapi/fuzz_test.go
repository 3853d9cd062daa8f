package grpcapi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

// The targets send whatever bytes as requests. No handler may panic, which the
// server would hide from its clients but says in its log; a call has to end
// soon; and whatever was stored has to be whole.

func FuzzUnary(f *testing.F) {
	methods := []string{
		streams.Streams_Delete_FullMethodName,
		streams.Streams_Tombstone_FullMethodName,
		gossip.Gossip_Read_FullMethodName,
		serverfeatures.ServerFeatures_GetSupportedMethods_FullMethodName,
		persistent.PersistentSubscriptions_Create_FullMethodName,
		persistent.PersistentSubscriptions_Update_FullMethodName,
		persistent.PersistentSubscriptions_Delete_FullMethodName,
		persistent.PersistentSubscriptions_GetInfo_FullMethodName,
		persistent.PersistentSubscriptions_ReplayParked_FullMethodName,
		persistent.PersistentSubscriptions_List_FullMethodName,
		persistent.PersistentSubscriptions_RestartSubsystem_FullMethodName,
	}
	target := newFuzzTarget(f)
	for i, m := range []proto.Message{
		&streams.DeleteReq{Options: &streams.DeleteReq_Options{
			StreamIdentifier: toStream("seed"), ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: &shared.Empty{}},
		}},
		&streams.TombstoneReq{Options: &streams.TombstoneReq_Options{
			StreamIdentifier: toStream("gone"), ExpectedStreamRevision: &streams.TombstoneReq_Options_NoStream{NoStream: &shared.Empty{}},
		}},
		&shared.Empty{},
		&shared.Empty{},
		&persistent.CreateReq{Options: &persistent.CreateReq_Options{
			StreamOption: &persistent.CreateReq_Options_Stream{Stream: &persistent.CreateReq_StreamOptions{
				StreamIdentifier: toStream("seed"), RevisionOption: &persistent.CreateReq_StreamOptions_Start{Start: &shared.Empty{}},
			}},
			GroupName: "group",
			Settings: &persistent.CreateReq_Settings{
				ReadBatchSize: 20, HistoryBufferSize: 50, LiveBufferSize: 50, MaxRetryCount: 3, MinCheckpointCount: 1, MaxCheckpointCount: 10,
				MessageTimeout:  &persistent.CreateReq_Settings_MessageTimeoutMs{MessageTimeoutMs: 1000},
				CheckpointAfter: &persistent.CreateReq_Settings_CheckpointAfterTicks{CheckpointAfterTicks: 1 << 20},
			},
		}},
		&persistent.UpdateReq{Options: &persistent.UpdateReq_Options{
			StreamOption: &persistent.UpdateReq_Options_All{All: &persistent.UpdateReq_AllOptions{
				AllOption: &persistent.UpdateReq_AllOptions_End{End: &shared.Empty{}},
			}},
			GroupName: "group", Settings: &persistent.UpdateReq_Settings{ReadBatchSize: 20, HistoryBufferSize: 50},
		}},
		&persistent.DeleteReq{Options: &persistent.DeleteReq_Options{
			StreamOption: &persistent.DeleteReq_Options_StreamIdentifier{StreamIdentifier: toStream("seed")}, GroupName: "group",
		}},
		&persistent.GetInfoReq{Options: &persistent.GetInfoReq_Options{
			StreamOption: &persistent.GetInfoReq_Options_StreamIdentifier{StreamIdentifier: toStream("seed")}, GroupName: "group",
		}},
		&persistent.ReplayParkedReq{Options: &persistent.ReplayParkedReq_Options{
			StreamOption: &persistent.ReplayParkedReq_Options_All{All: &shared.Empty{}}, GroupName: "group",
			StopAtOption: &persistent.ReplayParkedReq_Options_StopAt{StopAt: 1},
		}},
		&persistent.ListReq{Options: &persistent.ListReq_Options{
			ListOption: &persistent.ListReq_Options_ListAllSubscriptions{ListAllSubscriptions: &shared.Empty{}},
		}},
		&shared.Empty{},
	} {
		f.Add(byte(i), wire(f, m))
	}
	f.Fuzz(func(t *testing.T, method byte, request []byte) {
		target.run(t, methods[int(method)%len(methods)], [][]byte{request}, callOnce)
	})
}

func FuzzRead(f *testing.F) {
	target := newFuzzTarget(f)
	add := func(change func(*streams.ReadReq_Options)) {
		f.Add(wire(f, &streams.ReadReq{Options: readOptions("seed", change)}))
	}
	all := func(o *streams.ReadReq_Options) {
		o.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
			AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}},
		}}
	}
	filtered := func(o *streams.ReadReq_Options) {
		all(o)
		o.FilterOption = &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
			Filter: &streams.ReadReq_Options_FilterOptions_EventType{
				EventType: &streams.ReadReq_Options_FilterOptions_Expression{Regex: "^[^$]"},
			},
			Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: 2},
			CheckpointIntervalMultiplier: 1,
		}}
	}
	backwards := func(o *streams.ReadReq_Options) {
		o.ReadDirection = streams.ReadReq_Options_Backwards
		o.GetStream().RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}}
	}
	follow := func(o *streams.ReadReq_Options) {
		o.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	}
	add(nil)
	add(compatible)
	add(all)
	add(filtered)
	add(backwards)
	add(follow)
	add(func(o *streams.ReadReq_Options) { all(o); follow(o); o.ResolveLinks = true })
	add(func(o *streams.ReadReq_Options) { filtered(o); follow(o) })
	add(func(o *streams.ReadReq_Options) {
		o.StreamOption = &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: toStream("$ce-seed"), RevisionOption: &streams.ReadReq_Options_StreamOptions_Revision{Revision: math.MaxUint64},
		}}
	})
	f.Fuzz(func(t *testing.T, request []byte) {
		target.run(t, streams.Streams_Read_FullMethodName, [][]byte{request}, callForAWhile)
	})
}

func FuzzAppend(f *testing.F) {
	target := newFuzzTarget(f)
	typed := map[string]string{"type": "T", "content-type": "application/json"}
	f.Add(wire(f, options("seed")), wire(f, proposed(uuid.New(), typed, 3)), wire(f, proposed(uuid.New(), typed, 0)))
	f.Add(wire(f, options("$$seed")), wire(f, proposed(uuid.New(), map[string]string{"type": "$metadata", "content-type": "application/json"}, 3)), []byte{})
	link := proposed(uuid.New(), map[string]string{"type": "$>", "content-type": "x"}, 0)
	link.GetProposedMessage().Data = []byte("0@seed")
	f.Add(wire(f, options("links")), wire(f, link), wire(f, options("twice")))
	f.Fuzz(func(t *testing.T, first, second, third []byte) {
		target.run(t, streams.Streams_Append_FullMethodName, [][]byte{first, second, third}, callToTheEnd)
	})
}

func FuzzBatchAppend(f *testing.F) {
	target := newFuzzTarget(f)
	whole := wholeBatch("seed", -2, "ab")
	part := wholeBatch("seed", -2, "c")
	part.IsFinal = false
	part.Options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(time.Millisecond)}
	f.Add(wire(f, whole), wire(f, part), wire(f, whole))
	f.Add(wire(f, part), wire(f, &batchRequest{CorrelationId: part.GetCorrelationId(), IsFinal: true}), []byte{})
	f.Fuzz(func(t *testing.T, first, second, third []byte) {
		target.run(t, streams.Streams_BatchAppend_FullMethodName, [][]byte{first, second, third}, callToTheEnd)
	})
}

func FuzzPersistentRead(f *testing.F) {
	target := newFuzzTarget(f)
	begin := &persistent.ReadReq{Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{
		StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: toStream("seed")},
		GroupName:    "group", BufferSize: 2,
		UuidOption: &persistent.ReadReq_Options_UUIDOption{
			Content: &persistent.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}},
		},
	}}}
	ack := &persistent.ReadReq{Content: &persistent.ReadReq_Ack_{Ack: &persistent.ReadReq_Ack{Ids: []*shared.UUID{batchID(seedID)}}}}
	nack := &persistent.ReadReq{Content: &persistent.ReadReq_Nack_{Nack: &persistent.ReadReq_Nack{
		Ids: []*shared.UUID{batchID(seedID)}, Action: persistent.ReadReq_Nack_Park, Reason: "no",
	}}}
	f.Add(wire(f, begin), wire(f, ack), wire(f, nack))
	f.Add(wire(f, begin), wire(f, nack), wire(f, begin))
	f.Fuzz(func(t *testing.T, first, second, third []byte) {
		target.run(t, persistent.PersistentSubscriptions_Read_FullMethodName, [][]byte{first, second, third}, callForAWhile)
	})
}

// FuzzOperations is for what the commands ask a node that is served.
func FuzzOperations(f *testing.F) {
	methods := []string{"Snapshot", "Verify", "Scavenge"}
	target := newFuzzTarget(f)
	for i := range methods {
		for _, parameters := range []string{"null", `{"Limit":1}`, `{"Limit":-1}`, "{", ""} {
			f.Add(byte(i), wire(f, wrapperspb.Bytes([]byte(parameters))))
		}
	}
	f.Fuzz(func(t *testing.T, method byte, request []byte) {
		name := "/waybill.node.Operations/" + methods[int(method)%len(methods)]
		target.run(t, name, [][]byte{request}, callForAWhile)
	})
}

func wire(tb testing.TB, m proto.Message) []byte {
	tb.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// seedID is the id of the event the store begins with.
var seedID = uuid.NewSHA1(uuid.NameSpaceURL, []byte("seed"))

// A fuzzTarget is a served node, replaced when it has seen much.
type fuzzTarget struct {
	tb     testing.TB
	log    panics
	node   *node.Node
	server *grpcapi.Server
	conn   *grpc.ClientConn
	runs   int
	from   uint64 // of the log that was not looked at
}

func newFuzzTarget(f *testing.F) *fuzzTarget {
	f.Helper()
	target := &fuzzTarget{tb: f}
	target.open(f)
	f.Cleanup(func() { target.close(f) })
	return target
}

func (ft *fuzzTarget) open(tb testing.TB) {
	tb.Helper()
	var err error
	cfg := small()
	cfg.Dir, cfg.FS, cfg.Now = "fuzz", vfs.NewMem(), time.Now
	if ft.node, err = node.Open(cfg); err != nil {
		tb.Fatal(err)
	}
	ft.runs, ft.from = 0, 0
	if ft.server, err = grpcapi.Listen("127.0.0.1:0", ft.node, grpcapi.Config{Logger: slog.New(&ft.log)}); err != nil {
		tb.Fatal(err)
	}
	ft.conn, err = grpc.NewClient(ft.server.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		tb.Fatal(err)
	}
	seed := node.Append{Stream: "seed", Expected: node.ExpectAny, Events: []node.Event{{ID: seedID, Type: "Seed"}}}
	if _, err := ft.node.Append(deadline(tb), seed); err != nil {
		tb.Fatal(err)
	}
	create := &persistent.CreateReq{Options: &persistent.CreateReq_Options{
		StreamOption: &persistent.CreateReq_Options_Stream{Stream: &persistent.CreateReq_StreamOptions{
			StreamIdentifier: toStream("seed"), RevisionOption: &persistent.CreateReq_StreamOptions_Start{Start: &shared.Empty{}},
		}},
		GroupName: "group", Settings: &persistent.CreateReq_Settings{ReadBatchSize: 1, HistoryBufferSize: 5, LiveBufferSize: 5},
	}}
	if _, err := persistent.NewPersistentSubscriptionsClient(ft.conn).Create(deadline(tb), create); err != nil {
		tb.Fatal(err)
	}
}

func (ft *fuzzTarget) close(tb testing.TB) {
	tb.Helper()
	ft.verify(tb)
	if err := errors.Join(ft.conn.Close(), ft.server.Stop(deadline(tb)), ft.node.Close()); err != nil {
		tb.Error(err)
	}
}

// run sends the requests and looks at what that did.
func (ft *fuzzTarget) run(t *testing.T, method string, requests [][]byte, way callWay) {
	t.Helper()
	const life = 500
	if ft.runs++; ft.runs > life {
		ft.close(t)
		ft.open(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	way(ctx, t, ft.conn, method, requests)
	if ctx.Err() != nil {
		t.Fatalf("%s did not end", method)
	}
	if said := ft.log.take(); said != "" {
		t.Fatalf("%s: %s", method, said)
	}
	ft.readAgain(t)
}

// readAgain compares what the log has got with what its streams say.
func (ft *fuzzTarget) readAgain(t *testing.T) {
	t.Helper()
	for {
		page, err := ft.node.ReadAll(node.AllRead{From: ft.from, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range page.Records {
			ft.findInStream(t, want)
		}
		if ft.from = page.Next; page.End {
			return
		}
	}
}

func (ft *fuzzTarget) findInStream(t *testing.T, want *node.Record) {
	t.Helper()
	page, err := ft.node.ReadStream(node.StreamRead{Stream: want.Stream, From: want.Revision, Limit: 1})
	missing, deleted := (*node.NotFoundError)(nil), (*node.StreamDeletedError)(nil)
	if errors.As(err, &missing) || errors.As(err, &deleted) {
		return
	}
	if err != nil {
		t.Fatalf("revision %d of %q: %v", want.Revision, want.Stream, err)
	}
	if len(page.Records) == 0 || page.Records[0].Revision != want.Revision {
		return // the stream's limits hide it
	}
	got := page.Records[0]
	if got.Position != want.Position || got.ID != want.ID || got.Type != want.Type || !bytes.Equal(got.Data, want.Data) {
		t.Fatalf("revision %d of %q is %+v in the log and %+v in the stream", want.Revision, want.Stream, want, got)
	}
}

func (ft *fuzzTarget) verify(tb testing.TB) {
	tb.Helper()
	report, err := ft.node.Verify(deadline(tb), node.Verification{})
	if err != nil {
		tb.Fatal(err)
	}
	if !report.OK() {
		tb.Fatalf("the store is broken: %v", report.Problems)
	}
}

// panics is a log that keeps what the server hides from its clients.
type panics struct {
	mu   sync.Mutex
	said []string
}

func (*panics) Enabled(context.Context, slog.Level) bool { return true }

func (p *panics) Handle(_ context.Context, r slog.Record) error {
	if !strings.Contains(r.Message, "panicked") {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Attrs(func(a slog.Attr) bool {
		p.said = append(p.said, a.String())
		return true
	})
	return nil
}

func (p *panics) WithAttrs([]slog.Attr) slog.Handler { return p }

func (p *panics) WithGroup(string) slog.Handler { return p }

func (p *panics) take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	said := strings.Join(p.said, "\n")
	p.said = nil
	return said
}

// bytesCodec sends bytes as they are.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }

func (bytesCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }

func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

// A callWay makes a call and waits for its end.
type callWay func(ctx context.Context, t *testing.T, conn *grpc.ClientConn, method string, requests [][]byte)

func callOnce(ctx context.Context, t *testing.T, conn *grpc.ClientConn, method string, requests [][]byte) {
	t.Helper()
	var answer []byte
	_ = conn.Invoke(ctx, method, requests[0], &answer, grpc.ForceCodec(bytesCodec{})) // whatever it is, it is an answer
}

func callToTheEnd(ctx context.Context, t *testing.T, conn *grpc.ClientConn, method string, requests [][]byte) {
	t.Helper()
	call := openCall(ctx, t, conn, method, requests)
	if err := call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for {
		var answer []byte
		if call.RecvMsg(&answer) != nil {
			return
		}
	}
}

// callForAWhile is for calls that need not end: it hangs up when nothing comes.
func callForAWhile(ctx context.Context, t *testing.T, conn *grpc.ClientConn, method string, requests [][]byte) {
	t.Helper()
	const (
		enough = 5 * time.Millisecond
		most   = 200 // answers
	)
	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	call := openCall(ctx, t, conn, method, requests)
	quiet := time.AfterFunc(enough, hangUp)
	defer quiet.Stop()
	for range most {
		var answer []byte
		if call.RecvMsg(&answer) != nil {
			return
		}
		quiet.Reset(enough)
	}
}

func openCall(ctx context.Context, t *testing.T, conn *grpc.ClientConn, method string, requests [][]byte) grpc.ClientStream {
	t.Helper()
	call, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method, grpc.ForceCodec(bytesCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		if err := call.SendMsg(r); err != nil {
			if !errors.Is(err, io.EOF) && status.Code(err) == 0 {
				t.Fatal(err)
			}
			break // the answer is there already
		}
	}
	return call
}
