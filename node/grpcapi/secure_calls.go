package grpcapi

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-dev/waybill/node/auth"
)

type principalKey struct{}

// principalOf is nil for a call without credentials.
func principalOf(ctx context.Context) *auth.Principal {
	p, _ := ctx.Value(principalKey{}).(*auth.Principal)
	return p
}

// open are the services for everybody: what a client asks before it has
// anything to say for itself.
func open(method string) bool {
	return strings.HasPrefix(method, "/event_store.client.server_features.") ||
		strings.HasPrefix(method, "/event_store.client.gossip.")
}

// identify puts the caller into the context of his call. Whoever has no
// credentials may do nothing, whatever the lists of rights say.
func (g *gate) identify(ctx context.Context, method string) (context.Context, error) {
	if open(method) {
		return ctx, nil
	}
	p, err := g.auth.Authenticate(ctx, callerHost(ctx), authorization(ctx))
	switch {
	case errors.Is(err, auth.ErrUnauthenticated):
		return nil, refuse(codes.Unauthenticated, "Unauthenticated")
	case err != nil:
		return nil, err
	case p == nil:
		return nil, accessDenied()
	}
	return context.WithValue(ctx, principalKey{}, p), nil
}

// authorization is empty when there are several: none of them counts.
func authorization(ctx context.Context) string {
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) != 1 {
		return ""
	}
	return values[0]
}

func callerHost(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return ""
	}
	return hostOf(p.Addr.String())
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

func (g *gate) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if g == nil {
		return handle(ctx, req)
	}
	identified, err := g.identify(ctx, info.FullMethod)
	if err != nil {
		return nil, refuseCall(ctx, err)
	}
	return handle(identified, req)
}

func (g *gate) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if g == nil {
		return handle(srv, stream)
	}
	ctx, err := g.identify(stream.Context(), info.FullMethod)
	if err != nil {
		if info.IsClientStream {
			drainRefused(stream, info)
		}
		return refuseStream(stream, err)
	}
	return handle(srv, identified{stream, ctx})
}

// identified is a stream whose context has the caller.
type identified struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // it is the stream's own
}

// Context implements [grpc.ServerStream].
func (s identified) Context() context.Context { return s.ctx }

// drainRefused reads what the client still sends, within bounds: a client that
// is answered while it sends reports that it cannot send, and loses the answer.
// One that is answered as it goes is not waited for after its first message.
func drainRefused(stream grpc.ServerStream, info *grpc.StreamServerInfo) {
	const (
		most  = 32 << 20 // bytes
		limit = 2 * time.Second
	)
	done := make(chan struct{})
	go func() { // ends with the call at the latest
		defer close(done)
		for n := 0; n < most; {
			var unknown shared.Empty
			if stream.RecvMsg(&unknown) != nil || info.IsServerStream {
				return
			}
			n += proto.Size(&unknown) + 1
		}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
