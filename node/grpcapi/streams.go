package grpcapi

import (
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waybill-dev/waybill/node"
)

// service is what clients call Streams.
type service struct {
	streams.UnimplementedStreamsServer
	node     *node.Node
	gate     *gate
	stopping <-chan struct{}
	census   *census
}

// BatchAppend implements [streams.StreamsServer].
func (*service) BatchAppend(streams.Streams_BatchAppendServer) error {
	return status.Error(codes.Unimplemented, "this node takes appends one at a time: use Append")
}

// noSubscriptions refuses persistent subscriptions.
type noSubscriptions struct {
	persistent.UnimplementedPersistentSubscriptionsServer
}
