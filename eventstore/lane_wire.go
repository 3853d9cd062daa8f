package eventstore

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
)

// dialLane connects as the client library does.
func dialLane(s *esdb.Configuration) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if !s.DisableTLS {
		transport = credentials.NewTLS(&tls.Config{
			InsecureSkipVerify: s.SkipCertificateVerification, RootCAs: s.RootCAs, //nolint:gosec // as the connection string says
		})
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(transport)}
	if s.KeepAliveInterval >= 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: s.KeepAliveInterval, Timeout: s.KeepAliveTimeout, PermitWithoutStream: true,
		}))
	}
	conn, err := grpc.NewClient(s.Address, options...)
	if err != nil {
		return nil, fmt.Errorf("connect a lane for appends: %w", err)
	}
	return conn, nil
}

// callLane begins the call. A server that follows another one is to refuse it.
func callLane(
	ctx context.Context, conn *grpc.ClientConn, s *esdb.Configuration,
) (grpc.BidiStreamingClient[streams.BatchAppendReq, streams.BatchAppendResp], error) {
	ctx = metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
	if s.Username != "" && !s.DisableTLS {
		login := base64.StdEncoding.EncodeToString([]byte(s.Username + ":" + s.Password))
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Basic "+login)
	}
	return streams.NewStreamsClient(conn).BatchAppend(ctx)
}

func laneID(most, least int64) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits: most, LeastSignificantBits: least,
	}}}
}

func laneEventID(id uuid.UUID) *shared.UUID {
	return laneID(int64(binary.BigEndian.Uint64(id[:8])), int64(binary.BigEndian.Uint64(id[8:]))) //nolint:gosec // the same bits
}

// laneRequest is the whole append in one message.
func laneRequest(stream string, expected Revision, events []esdb.EventData) *streams.BatchAppendReq {
	options := &streams.BatchAppendReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(stream)},
		ExpectedStreamPosition: &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}},
	}
	if expected >= 0 {
		options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: uint64(expected)}
	}
	proposed := make([]*streams.BatchAppendReq_ProposedMessage, len(events))
	for i, e := range events {
		content := "application/octet-stream"
		if e.ContentType == esdb.ContentTypeJson {
			content = "application/json"
		}
		proposed[i] = &streams.BatchAppendReq_ProposedMessage{
			Id: laneEventID(e.EventID), Data: e.Data, CustomMetadata: e.Metadata,
			Metadata: map[string]string{"type": e.EventType, "content-type": content},
		}
	}
	return &streams.BatchAppendReq{Options: options, ProposedMessages: proposed, IsFinal: true}
}

// laneAnswer understands a yes or a no.
func laneAnswer(resp *streams.BatchAppendResp) (Appended, error) {
	done := resp.GetSuccess()
	if done == nil {
		return Appended{}, laneRefusal(resp.GetError())
	}
	return Appended{
		Revision: Revision(done.GetCurrentRevision()), //nolint:gosec // revisions are int64 at the server
		Position: Position(done.GetPosition().GetCommitPosition()),
	}, nil
}

func laneRefusal(s *status.Status) error {
	refused := fmt.Errorf("the append was refused: %s (%s)", s.GetMessage(), codes.Code(s.GetCode())) //nolint:gosec // small numbers
	for _, d := range s.GetDetails() {
		if d.MessageIs((*shared.WrongExpectedVersion)(nil)) {
			return &fault{cause: refused, kind: faultConflict}
		}
	}
	return &fault{cause: refused, kind: faultOther}
}
