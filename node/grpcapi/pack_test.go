package grpcapi

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/waybill-dev/waybill/node"
)

// packing sends the same records twice, shared with others and alone.
type packing struct {
	streams.UnimplementedStreamsServer
	records []*node.Record
	packs   chan bool
}

// Read implements [streams.StreamsServer].
func (s *packing) Read(_ *streams.ReadReq, out streams.Streams_ReadServer) error {
	to := sender{ctx: out.Context(), out: out, pack: newPack(out.Context())}
	s.packs <- to.pack != nil
	if err := to.send(s.records, true); err != nil {
		return err
	}
	// Both kinds in one piece.
	for i, r := range s.records {
		answer, err := to.answer(r, i%2 == 0)
		if err != nil {
			return err
		}
		if to.pack == nil {
			err = out.SendMsg(answer)
		} else {
			err = to.pack.add(answer)
		}
		if err != nil {
			return err
		}
	}
	if to.pack == nil {
		return nil
	}
	return to.pack.flush()
}

// TestPackedEvents also says when a new version of the library no longer lets us
// pack them.
func TestPackedEvents(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	s := &packing{packs: make(chan bool, 1)}
	for range 200 {
		s.records = append(s.records, randomRecord(rng))
	}
	s.records[100].Data = make([]byte, 5*packBytes) // larger than a piece
	address := servePacking(t, s)
	for name, tc := range map[string]struct { //nolint:paralleltest // they share what the server says
		options []grpc.CallOption
		packs   bool
	}{
		"of a client as usual":   {nil, true},
		"of one that compresses": {[]grpc.CallOption{grpc.UseCompressor(gzip.Name)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := readPacked(t, address, tc.options)
			if packs := <-s.packs; packs != tc.packs {
				t.Errorf("packed is %t", packs)
			}
			if len(got) != 2*len(s.records) {
				t.Fatalf("got %d events, want %d", len(got), 2*len(s.records))
			}
			for i, e := range got {
				want := generated(s.records[i%len(s.records)], nil, false)
				if !proto.Equal(want, e) {
					t.Fatalf("event %d differs (-want +got):\n%s", i, cmp.Diff(want, e, protocmp.Transform()))
				}
			}
		})
	}
}

func servePacking(t *testing.T, s *packing) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(newCodec()))
	streams.RegisterStreamsServer(server, s)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func readPacked(t *testing.T, address string, options []grpc.CallOption) (got []*streams.ReadResp) {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader, err := streams.NewStreamsClient(conn).Read(t.Context(), &streams.ReadReq{}, options...)
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, err := reader.Recv()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
}
