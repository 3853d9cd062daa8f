package eventstore

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
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
	return streams.NewStreamsClient(conn).BatchAppend(ctx, grpc.ForceCodecV2(newLaneCodec()))
}

func laneRefusal(s *status.Status) error {
	refused := fmt.Errorf("the append was refused: %s (%s)", s.GetMessage(), codes.Code(s.GetCode())) //nolint:gosec // small numbers
	for _, d := range s.GetDetails() {
		if d.MessageIs((*shared.WrongExpectedVersion)(nil)) {
			return &fault{cause: refused, kind: faultConflict}
		}
	}
	switch codes.Code(s.GetCode()) { //nolint:exhaustive,gosec // the others are no words of ours; small numbers
	case codes.DeadlineExceeded: // it may be written, or not
		return &fault{cause: refused, kind: faultLate}
	case codes.Unavailable, codes.ResourceExhausted:
		return &fault{cause: refused, kind: faultBusy}
	}
	return &fault{cause: refused, kind: faultOther}
}
