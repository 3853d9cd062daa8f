// Interim stand-in: whoever writes this package deletes this file.

// Package grpcapi serves a node over EventStoreDB's gRPC protocol.
package grpcapi

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/waybill-dev/waybill/node"
)

type Config struct{}

type Server struct {
	l    net.Listener
	grpc *grpc.Server
}

func Listen(addr string, n *node.Node, _ Config) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := grpc.NewServer(grpc.MaxRecvMsgSize(17<<20),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 10 * time.Second}))
	streams.RegisterStreamsServer(s, &service{n: n})
	serverfeatures.RegisterServerFeaturesServer(s, features{})
	gossip.RegisterGossipServer(s, gossiper{a: l.Addr().(*net.TCPAddr)})
	go s.Serve(l)
	return &Server{l, s}, nil
}

func (s *Server) Addr() string             { return s.l.Addr().String() }
func (s *Server) ConnectionString() string { return "esdb://" + s.Addr() + "?tls=false" }
func (s *Server) Stop(ctx context.Context) error {
	s.grpc.Stop()
	return nil
}

type gossiper struct {
	gossip.UnimplementedGossipServer
	a *net.TCPAddr
}

func (g gossiper) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{InstanceId: id(uuid.Nil), State: gossip.MemberInfo_Leader, IsAlive: true, HttpEndPoint: &gossip.EndPoint{Address: g.a.IP.String(), Port: uint32(g.a.Port)}}}}, nil
}

type features struct {
	serverfeatures.UnimplementedServerFeaturesServer
}

func (features) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	var m []*serverfeatures.SupportedMethod
	for _, name := range []string{"read", "append"} {
		m = append(m, &serverfeatures.SupportedMethod{ServiceName: "event_store.client.streams.streams", MethodName: name})
	}
	return &serverfeatures.SupportedMethods{Methods: m, EventStoreServerVersion: "24.6.0"}, nil
}

type service struct {
	streams.UnimplementedStreamsServer
	n *node.Node
}

func (s *service) Append(stream streams.Streams_AppendServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	o := first.GetOptions()
	name := string(o.GetStreamIdentifier().GetStreamName())
	expected := int64(-2)
	switch v := o.GetExpectedStreamRevision().(type) {
	case *streams.AppendReq_Options_Revision:
		expected = int64(v.Revision)
	case *streams.AppendReq_Options_NoStream:
		expected = -1
	case *streams.AppendReq_Options_StreamExists:
		expected = -4
	}
	var events []*node.Record
	var bad error
	size := 0
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		p := m.GetProposedMessage()
		if p == nil {
			continue
		}
		t := p.Metadata["type"]
		size += len(p.Data) + len(p.CustomMetadata) + 2*len(t)
		if t == "" {
			bad = status.Error(codes.InvalidArgument, "Required Metadata Property 'type' is missing")
		}
		if size > 1<<20 {
			bad = status.Error(codes.InvalidArgument, "Maximum Append Size of 1048576 Exceeded.")
			events = nil
			continue
		}
		events = append(events, &node.Record{ID: fromID(p.Id), Type: t, JSON: p.Metadata["content-type"] == "application/json", Data: p.Data, Metadata: p.CustomMetadata})
	}
	if bad != nil {
		return bad
	}
	res, err := s.n.Append(name, expected, events)
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	if res.Wrong {
		w := &streams.AppendResp_WrongExpectedVersion{}
		if res.Current < 0 {
			w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{}
		} else {
			w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(res.Current)}
		}
		switch expected {
		case -1:
			w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{}
		case -2:
			w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{}
		case -4:
			w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{}
		default:
			w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(expected)}
		}
		return stream.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: w}})
	}
	ok := &streams.AppendResp_Success{}
	if res.Current < 0 {
		ok.CurrentRevisionOption = &streams.AppendResp_Success_NoStream{}
	} else {
		ok.CurrentRevisionOption = &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(res.Current)}
	}
	ok.PositionOption = &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{CommitPosition: res.Position, PreparePosition: res.Position}}
	return stream.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: ok}})
}

func id(u uuid.UUID) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: int64(binary.BigEndian.Uint64(u[:8])), LeastSignificantBits: int64(binary.BigEndian.Uint64(u[8:]))}}}
}

func fromID(p *shared.UUID) (u uuid.UUID) {
	if s := p.GetStructured(); s != nil {
		binary.BigEndian.PutUint64(u[:8], uint64(s.MostSignificantBits))
		binary.BigEndian.PutUint64(u[8:], uint64(s.LeastSignificantBits))
		return u
	}
	u, _ = uuid.Parse(p.GetString_())
	return u
}

func response(r *node.Record) *streams.ReadResp {
	content := "application/octet-stream"
	if r.JSON {
		content = "application/json"
	}
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id: id(r.ID), StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(r.Stream)}, StreamRevision: r.Revision,
			PreparePosition: r.Position, CommitPosition: r.Position, CustomMetadata: r.Metadata, Data: r.Data,
			Metadata: map[string]string{"type": r.Type, "created": strconv.FormatInt(r.Created, 10), "content-type": content},
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: r.Position},
	}}}
}

func (s *service) Read(req *streams.ReadReq, out streams.Streams_ReadServer) error {
	o := req.GetOptions()
	_, subscribe := o.GetCountOption().(*streams.ReadReq_Options_Subscription)
	back := o.GetReadDirection() == streams.ReadReq_Options_Backwards
	if all := o.GetAll(); all != nil {
		if subscribe {
			return s.subscribeAll(o, all, out)
		}
		return s.readAll(o, all, back, out)
	}
	st := o.GetStream()
	name := string(st.GetStreamIdentifier().GetStreamName())
	if subscribe {
		return s.subscribeStream(name, st, out)
	}
	from := int64(0)
	switch v := st.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		from = int64(v.Revision)
	case *streams.ReadReq_Options_StreamOptions_End:
		from = -1
	}
	left := o.GetCount()
	sent := false
	for left > 0 {
		page, last, err := s.n.Stream(name, from, back, int(min(left, 512)))
		if err != nil {
			return status.Error(codes.Unknown, err.Error())
		}
		if last < 0 && !sent {
			return out.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: st.StreamIdentifier}}})
		}
		for _, r := range page {
			if err := out.Send(response(r)); err != nil {
				return err
			}
			sent = true
		}
		left -= uint64(len(page))
		if len(page) == 0 {
			return nil
		}
		from = int64(page[len(page)-1].Revision) + 1
		if back {
			from -= 2
			if from < 0 {
				return nil
			}
		}
	}
	return nil
}

func (s *service) readAll(o *streams.ReadReq_Options, all *streams.ReadReq_Options_AllOptions, back bool, out streams.Streams_ReadServer) error {
	from := uint64(0)
	switch v := all.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		from = v.Position.CommitPosition
	case *streams.ReadReq_Options_AllOptions_End:
		from = math.MaxUint64
	}
	match, _, err := filterOf(o)
	if err != nil {
		return err
	}
	for left := o.GetCount(); left > 0; {
		page, err := s.n.All(from, back, 512)
		if err != nil {
			return status.Error(codes.Unknown, err.Error())
		}
		if len(page) == 0 {
			return nil
		}
		for _, r := range page {
			if left == 0 {
				return nil
			}
			if match(r) {
				if err := out.Send(response(r)); err != nil {
					return err
				}
				left--
			}
		}
		from = page[len(page)-1].Position
		if !back {
			from++
		}
	}
	return nil
}

func filterOf(o *streams.ReadReq_Options) (match func(*node.Record) bool, every int, err error) {
	f := o.GetFilter()
	if f == nil {
		return func(*node.Record) bool { return true }, 0, nil
	}
	window := int(f.GetMax())
	if window == 0 {
		window = 32
	}
	every = window * int(max(f.GetCheckpointIntervalMultiplier(), 1))
	field := func(r *node.Record) string { return r.Stream }
	e := f.GetStreamIdentifier()
	if e == nil {
		e, field = f.GetEventType(), func(r *node.Record) string { return r.Type }
	}
	if e.GetRegex() != "" {
		re, err := regexp.Compile(e.GetRegex())
		if err != nil {
			return nil, 0, status.Error(codes.InvalidArgument, err.Error())
		}
		return func(r *node.Record) bool { return re.MatchString(field(r)) }, every, nil
	}
	prefixes := e.GetPrefix()
	return func(r *node.Record) bool {
		for _, p := range prefixes {
			if strings.HasPrefix(field(r), p) {
				return true
			}
		}
		return false
	}, every, nil
}

func (s *service) subscribeAll(o *streams.ReadReq_Options, all *streams.ReadReq_Options_AllOptions, out streams.Streams_ReadServer) error {
	match, every, err := filterOf(o)
	if err != nil {
		return err
	}
	at := uint64(0)
	switch v := all.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		at = v.Position.CommitPosition
	case *streams.ReadReq_Options_AllOptions_End:
		at = s.n.Durable()
	}
	if err := out.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()}}}); err != nil {
		return err
	}
	live, considered, marked := false, 0, at
	checkpoint := func() error {
		considered = 0
		if marked == at {
			return nil
		}
		marked = at
		return out.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: at, PreparePosition: at}}})
	}
	for {
		wake := s.n.Wait()
		page, err := s.n.All(at+1, false, 256)
		if err != nil {
			return status.Error(codes.Unknown, err.Error())
		}
		for _, r := range page {
			at = r.Position
			if match(r) {
				if err := out.Send(response(r)); err != nil {
					return err
				}
			}
			if considered++; every > 0 && considered >= every {
				if err := checkpoint(); err != nil {
					return err
				}
			}
		}
		if len(page) > 0 {
			continue
		}
		if !live {
			live = true
			if every > 0 {
				if err := checkpoint(); err != nil {
					return err
				}
			}
			if err := out.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}}); err != nil {
				return err
			}
		}
		select {
		case <-wake:
		case <-out.Context().Done():
			return out.Context().Err()
		}
	}
}

func (s *service) subscribeStream(name string, st *streams.ReadReq_Options_StreamOptions, out streams.Streams_ReadServer) error {
	from := int64(0)
	switch v := st.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		from = int64(v.Revision) + 1
	case *streams.ReadReq_Options_StreamOptions_End:
		_, last, err := s.n.Stream(name, 0, true, 1)
		if err != nil {
			return err
		}
		from = last + 1
	}
	if err := out.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()}}}); err != nil {
		return err
	}
	live := false
	for {
		wake := s.n.Wait()
		page, _, err := s.n.Stream(name, from, false, 256)
		if err != nil {
			return status.Error(codes.Unknown, err.Error())
		}
		for _, r := range page {
			from = int64(r.Revision) + 1
			if err := out.Send(response(r)); err != nil {
				return err
			}
		}
		if len(page) > 0 {
			continue
		}
		if !live {
			live = true
			if err := out.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}}); err != nil {
				return err
			}
		}
		select {
		case <-wake:
		case <-out.Context().Done():
			return out.Context().Err()
		}
	}
}

var _ = metadata.MD{}
