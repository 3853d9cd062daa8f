package grpcapi

import (
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/waybill-dev/waybill/node"
)

// service is what clients call Streams.
type service struct {
	streams.UnimplementedStreamsServer
	node     *node.Node
	gate     *gate
	stopping <-chan struct{}
	census   *census
	arriving arriving
}
