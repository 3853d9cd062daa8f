// Package grpcapi serves a node over EventStoreDB's gRPC protocol, so that the
// unmodified clients of that database work against it.
//
// It promises the answers of EventStoreDB 24.6 in insecure mode, errors and
// their trailers included. It holds no state of the store: what an answer
// means for the data is package node's business.
package grpcapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/waybill-dev/waybill/node"
	groups "github.com/waybill-dev/waybill/node/persistent"
)

// Config is how the node is served.
type Config struct {
	// Advertise is the host:port given to clients that ask for the members of
	// the cluster. Empty is the address the asking client has reached.
	Advertise string
	Secure    *Secure      // nil is without TLS, on loopback only, where everybody may do everything
	Logger    *slog.Logger // nil is silence

	// MaxGroups and MaxGroupClients bound the persistent subscriptions, and the
	// clients of all of them together. Default 1,000 and 10,000.
	MaxGroups, MaxGroupClients int
}

// A Server serves one node.
type Server struct {
	node     *node.Node
	groups   *groups.Engine
	gate     *gate
	split    *split
	grpc     *grpc.Server
	http     *http.Server
	stopping chan struct{}
	stopOnce sync.Once
	served   chan error
}

const maxMessageBytes = 17 << 20 // what the clients accept, too

// Listen serves n at addr, host:port, until Stop. Port 0 picks a free one. An
// address that other machines reach, without cfg.Secure, is an [InsecureError].
func Listen(addr string, n *node.Node, cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	listener, err := listen(addr, cfg.Secure)
	if err != nil {
		return nil, fmt.Errorf("listen for clients of the event store: %w", err)
	}
	engine, err := groups.Open(groups.Config{Node: n, Logger: cfg.Logger, Now: n.Now, MaxGroups: cfg.MaxGroups, MaxClients: cfg.MaxGroupClients})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	calls, census := newCalls(), &census{node: n, all: make(map[*subscription]string)}
	gate := newGate(cfg.Secure)
	s := &Server{
		node:     n,
		groups:   engine,
		gate:     gate,
		split:    splitConnections(listener),
		grpc:     grpc.NewServer(options(cfg.Logger, calls, gate)...),
		stopping: make(chan struct{}),
		served:   make(chan error, 1),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(n.Collector(), calls.total, census, newGroupMetrics(engine), certificateMetric(cfg.Secure))
	s.http = s.newHTTP(registry)
	serverfeatures.RegisterServerFeaturesServer(s.grpc, features{})
	gossip.RegisterGossipServer(s.grpc, &gossiper{id: n.ID(), advertise: cfg.Advertise, now: n.Now})
	streams.RegisterStreamsServer(s.grpc, &service{node: n, gate: gate, stopping: s.stopping, census: census})
	persistent.RegisterPersistentSubscriptionsServer(s.grpc, &subscriptions{engine: engine, gate: gate})
	registerOperations(s.grpc, &operations{node: n, gate: gate, stopping: s.stopping})
	n.Announce(s.Addr())
	go func() { s.served <- s.grpc.Serve(s.split.rpc) }()
	go s.serveHTTP()
	return s, nil
}

// options make the server as patient as the original: clients ping an idle
// connection every ten seconds, and a server that thinks this too often cuts it.
func options(logger *slog.Logger, calls calls, gate *gate) []grpc.ServerOption {
	const (
		ping         = 10 * time.Second
		mostOften    = 5 * time.Second
		writeBuffer  = 128 << 10
		streamWindow = 1 << 20
		connWindow   = 4 << 20
		workers      = 64 // some are held by subscriptions for as long as those last
		headers      = 32 << 10
	)
	return []grpc.ServerOption{
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: mostOften, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: ping, Timeout: ping}),
		grpc.ConnectionTimeout(firstBytes),
		grpc.MaxHeaderListSize(headers),
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.WriteBufferSize(writeBuffer),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connWindow),
		grpc.NumStreamWorkers(workers),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.ChainUnaryInterceptor(calls.unary, recoverUnary(logger), gate.unary),
		grpc.ChainStreamInterceptor(calls.stream, recoverStream(logger), gate.stream),
	}
}

// Addr is the host:port it listens on.
func (s *Server) Addr() string { return s.split.Addr().String() }

// ConnectionString is what a client needs to reach it, but for the credentials
// and the certificate's authority that a secure node wants.
func (s *Server) ConnectionString() string {
	return "esdb://" + s.Addr() + "?tls=" + strconv.FormatBool(s.gate != nil)
}

// Stop takes no more calls, ends the subscriptions, waits for the running calls
// until ctx ends, and then cuts them.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() { close(s.stopping) })
	s.groups.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.GracefulStop()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
	}
	s.stopHTTP(ctx)
	s.split.closing.Wait()
	if err := <-s.served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve clients of the event store: %w", err)
	}
	s.served <- nil
	return nil
}
