package grpcapi

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waybill-dev/waybill/node"
)

// An Operator works on a store that another process serves.
type Operator struct{ conn *grpc.ClientConn }

// NewOperator takes the connection string of a client. It does not connect
// before the first call.
func NewOperator(connection string) (*Operator, error) {
	cfg, err := esdb.ParseConnectionString(connection)
	if err != nil {
		return nil, fmt.Errorf("connection string: %w", err)
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if !cfg.DisableTLS {
		options[0] = grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12,
			InsecureSkipVerify: cfg.SkipCertificateVerification, //nolint:gosec // as the connection string says
		}))
		if cfg.Username != "" {
			options = append(options, grpc.WithPerRPCCredentials(basic(cfg.Username+":"+cfg.Password)))
		}
	}
	conn, err := grpc.NewClient(cfg.Address, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", cfg.Address, err)
	}
	return &Operator{conn}, nil
}

// Close ends the connection.
func (o *Operator) Close() error { return o.conn.Close() }

// basic is a login and a password, for TLS only.
type basic string

// GetRequestMetadata implements [credentials.PerRPCCredentials].
func (b basic) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(b))}, nil
}

// RequireTransportSecurity implements [credentials.PerRPCCredentials].
func (basic) RequireTransportSecurity() bool { return true }

// Reach returns when the node has answered. The error is an [UnreachedError]
// when none does.
func (o *Operator) Reach(ctx context.Context) error {
	_, err := serverfeatures.NewServerFeaturesClient(o.conn).GetSupportedMethods(ctx, &shared.Empty{})
	if err != nil {
		return &UnreachedError{message(err)}
	}
	return nil
}

// Snapshot has the node hold on to its files until release is called. They are
// on the node's machine.
func (o *Operator) Snapshot(ctx context.Context) (s *node.Snapshot, release func(), err error) {
	ctx, release = context.WithCancel(ctx)
	s = &node.Snapshot{}
	answers, err := o.begin(ctx, snapshotMethod, nil)
	if err == nil {
		err = finish(answers, nil, s)
	}
	if err != nil {
		release()
		return nil, nil, fmt.Errorf("ask the node for its files: %w", err)
	}
	return s, release, nil
}

// Verify is [node.Node.Verify].
func (o *Operator) Verify(ctx context.Context, v node.Verification) (*node.Report, error) {
	report := &node.Report{}
	return report, o.call(ctx, verifyMethod, struct{ Limit int }{v.Limit}, v.Progress, report)
}

// Scavenge is [node.Node.Scavenge].
func (o *Operator) Scavenge(ctx context.Context, progress func(node.Progress)) (*node.Scavenged, error) {
	done := &node.Scavenged{}
	return done, o.call(ctx, scavengeMethod, nil, progress, done)
}

func (o *Operator) call(ctx context.Context, method string, parameters any, progress func(node.Progress), result any) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers, err := o.begin(ctx, method, parameters)
	if err == nil {
		err = finish(answers, progress, result)
	}
	if err != nil {
		return fmt.Errorf("%s at the node: %w", method, err)
	}
	return nil
}

// An UnreachedError says that no call came to the node: nobody is there, or
// speaks another way.
type UnreachedError struct{ Cause error }

func (e *UnreachedError) Error() string { return e.Cause.Error() }

func (e *UnreachedError) Unwrap() error { return e.Cause }

func (o *Operator) begin(ctx context.Context, method string, parameters any) (grpc.ClientStream, error) {
	encoded, err := json.Marshal(parameters)
	if err != nil {
		return nil, err
	}
	stream, err := o.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/"+operationsService+"/"+method)
	if err != nil {
		return nil, &UnreachedError{message(err)}
	}
	// What went wrong is told by the answer.
	if err := stream.SendMsg(wrapperspb.Bytes(encoded)); err != nil && !errors.Is(err, io.EOF) {
		return nil, message(err)
	}
	return stream, stream.CloseSend()
}

// finish takes answers until the result.
func finish(stream grpc.ClientStream, progress func(node.Progress), result any) error {
	for {
		var encoded wrapperspb.BytesValue
		if err := stream.RecvMsg(&encoded); err != nil {
			return message(err)
		}
		var a operationAnswer
		if err := json.Unmarshal(encoded.GetValue(), &a); err != nil {
			return fmt.Errorf("the node's answer is not understood: %w", err)
		}
		if a.Progress != nil && progress != nil {
			progress(*a.Progress)
		}
		if a.Result != nil {
			return json.Unmarshal(a.Result, result)
		}
	}
}

// message leaves out the protocol.
func message(err error) error {
	if s, ok := status.FromError(err); ok {
		return errors.New(s.Message())
	}
	return err
}
