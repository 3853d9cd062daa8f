package grpcapi

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// gossiper names the one member there is, at an address its asker can dial.
type gossiper struct {
	gossip.UnimplementedGossipServer
	id        uuid.UUID
	advertise string
	now       func() time.Time
}

// Read implements [gossip.GossipServer].
func (g *gossiper) Read(ctx context.Context, _ *shared.Empty) (*gossip.ClusterInfo, error) {
	host, port, err := g.address(ctx)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	const nanosPerTick = 100
	most, least := splitID(g.id)
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		InstanceId: &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
			MostSignificantBits: int64(most), LeastSignificantBits: int64(least),
		}}},
		TimeStamp:    g.now().UnixNano() / nanosPerTick,
		State:        gossip.MemberInfo_Leader,
		IsAlive:      true,
		HttpEndPoint: &gossip.EndPoint{Address: host, Port: port},
	}}}, nil
}

func (g *gossiper) address(ctx context.Context) (host string, port uint32, err error) {
	address := g.advertise
	if address == "" {
		p, ok := peer.FromContext(ctx)
		if !ok || p.LocalAddr == nil {
			return "", 0, fmt.Errorf("the connection has no address")
		}
		address = p.LocalAddr.String()
	}
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return host, uint32(n), err
}
