package grpcapi

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waybill-dev/waybill/node"
)

// The service for the commands that work on a store while it is served. Each
// call takes its parameters as JSON and answers, as JSON, how far it has got,
// and at the end what it has done. EventStoreDB has no such service.
const (
	operationsService = "waybill.node.Operations"

	snapshotMethod = "Snapshot"
	verifyMethod   = "Verify"
	scavengeMethod = "Scavenge"
)

type operationAnswer struct {
	Progress *node.Progress  `json:"progress,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
}

type operations struct {
	node     *node.Node
	gate     *gate
	stopping <-chan struct{}
}

func registerOperations(s *grpc.Server, o *operations) {
	method := func(name string, run func(*operationCall) (any, error)) grpc.StreamDesc {
		return grpc.StreamDesc{StreamName: name, ServerStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
			return refuseStream(stream, o.serve(stream, run))
		}}
	}
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: operationsService,
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{
			method(snapshotMethod, o.snapshot),
			method(verifyMethod, o.verify),
			method(scavengeMethod, o.scavenge),
		},
	}, o)
}

// serve is for those who may manage the node: everybody on this machine when it
// is insecure, and otherwise its admins and operators.
func (o *operations) serve(stream grpc.ServerStream, run func(*operationCall) (any, error)) error {
	if err := o.gate.authorise(stream.Context(), opManageSubscriptions, ""); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	c := &operationCall{ctx: ctx, stream: stream}
	var parameters wrapperspb.BytesValue
	if err := stream.RecvMsg(&parameters); err != nil {
		return err
	}
	c.parameters = parameters.GetValue()
	var telling sync.WaitGroup
	telling.Go(func() { c.tell(o.stopping, cancel) })
	result, err := run(c)
	cancel()
	telling.Wait()
	if err != nil || result == nil {
		return err
	}
	encoded, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return c.send(operationAnswer{Result: encoded})
}

type operationCall struct {
	ctx        context.Context //nolint:containedctx // of the call; ends with the server, too
	stream     grpc.ServerStream
	parameters []byte

	sending sync.Mutex
	mu      sync.Mutex
	newest  *node.Progress
}

func (c *operationCall) advance(p node.Progress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest = &p
}

func (c *operationCall) take() *node.Progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.newest
	c.newest = nil
	return p
}

// tell sends the newest progress now and then, and ends the call with the
// server.
func (c *operationCall) tell(stopping <-chan struct{}, cancel context.CancelFunc) {
	const every = 100 * time.Millisecond
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if p := c.take(); p != nil && c.send(operationAnswer{Progress: p}) != nil {
				cancel()
				return
			}
		case <-stopping:
			cancel()
			return
		case <-c.ctx.Done():
			return
		}
	}
}

func (c *operationCall) send(a operationAnswer) error {
	encoded, err := json.Marshal(a)
	if err != nil {
		return err
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.stream.SendMsg(wrapperspb.Bytes(encoded))
}

func (c *operationCall) decode(into any) error {
	if len(c.parameters) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.parameters, into); err != nil {
		return invalid("the operation's parameters are not understood: %v", err)
	}
	return nil
}

// snapshot answers where the files are, and holds on to them until the caller
// has copied them and goes. He copies with his own rights: the node writes
// nothing for him anywhere.
func (o *operations) snapshot(c *operationCall) (any, error) {
	s, err := o.node.Snapshot()
	if err != nil {
		return nil, err
	}
	told := *s
	if told.Dir, err = filepath.Abs(s.Dir); err != nil { // the caller may be elsewhere
		return nil, errors.Join(err, o.node.Release(s))
	}
	encoded, err := json.Marshal(told)
	if err == nil {
		err = c.send(operationAnswer{Result: encoded})
	}
	if err == nil {
		<-c.ctx.Done()
	}
	if releaseErr := o.node.Release(s); err == nil {
		err = releaseErr
	}
	return nil, err
}

func (o *operations) verify(c *operationCall) (any, error) {
	var p struct{ Limit int }
	if err := c.decode(&p); err != nil {
		return nil, err
	}
	return o.node.Verify(c.ctx, node.Verification{Limit: p.Limit, Progress: c.advance})
}

func (o *operations) scavenge(c *operationCall) (any, error) {
	return o.node.Scavenge(c.ctx, node.Scavenge{Progress: c.advance})
}
