package grpcapi

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/waybill-dev/waybill/node"
	groups "github.com/waybill-dev/waybill/node/persistent"
)

// Read implements [persistent.PersistentSubscriptionsServer]. It is a client of
// a group, for as long as the call lasts.
func (s *subscriptions) Read(stream persistent.PersistentSubscriptions_ReadServer) error {
	first, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	return refuseStream(stream, explainGroup(s.read(first.GetOptions(), stream)))
}

func (s *subscriptions) read(o *persistent.ReadReq_Options, stream persistent.PersistentSubscriptions_ReadServer) error {
	if o == nil {
		return refuse(codes.Unknown, panicked+" A subscription begins with its options.")
	}
	if o.GetUuidOption() == nil {
		return refuse(codes.Unknown, panicked+" A subscription says in which form it wants ids.")
	}
	name, err := streamOfGroup(o.GetStreamIdentifier(), o.GetAll(), o.GetGroupName())
	if err != nil {
		return err
	}
	guard, err := s.gate.guard(stream.Context(), opRead, name)
	if err != nil {
		return err
	}
	if o.GetBufferSize() <= 0 {
		return refuse(codes.Unknown, panicked+" A subscription needs a buffer.")
	}
	client, err := s.engine.Connect(name, o.GetGroupName(), consumer(stream.Context(), int(o.GetBufferSize())))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := guard.watch(stream.Context())
	defer cancel()
	c := conversation{client: client, stream: stream, gate: s.gate, guard: guard, textIDs: o.GetUuidOption().GetString_() != nil}
	return c.run(ctx, name+"::"+o.GetGroupName())
}

func consumer(ctx context.Context, buffer int) groups.Consumer {
	c := groups.Consumer{Buffer: buffer, Name: "<unknown>", User: userOf(ctx)}
	if names := metadata.ValueFromIncomingContext(ctx, "connection-name"); len(names) > 0 {
		c.Name = strings.ToValidUTF8(brief(names[0]), "\uFFFD") // a header may be any bytes, and what tells of the group must be text
	}
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		c.From = p.Addr.String()
	}
	return c
}

// A conversation sends messages and hears what became of them.
type conversation struct {
	client  *groups.Client
	stream  persistent.PersistentSubscriptions_ReadServer
	gate    *gate
	guard   *guard
	textIDs bool
}

func (c *conversation) run(ctx context.Context, id string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // ends with the call
		if err := c.listen(); err != nil {
			cancel(err)
		}
	}()
	if err := c.stream.Send(confirmation(id)); err != nil {
		return err
	}
	for {
		d, err := c.client.Next(ctx)
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
			return cause
		}
		if err == nil {
			err = c.guard.check()
		}
		if err == nil {
			err = c.protect(&d)
		}
		if err == nil {
			err = c.stream.Send(c.answer(&d))
		}
		if err != nil {
			return err
		}
	}
}

// protect leaves the link alone where this client may not read what it points
// at.
func (c *conversation) protect(d *groups.Delivery) error {
	if d.Link == nil || d.Event == nil {
		return nil
	}
	allowed, err := c.gate.allows(c.stream.Context(), opRead, d.Event.Stream)
	if !allowed {
		d.Event = nil
	}
	return err
}

// listen returns nil when the client has nothing more to say: it may still want
// to hear.
func (c *conversation) listen() error {
	for {
		req, err := c.stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.hear(req); err != nil {
			return err
		}
	}
}

func (c *conversation) hear(req *persistent.ReadReq) error {
	switch said := req.GetContent().(type) {
	case *persistent.ReadReq_Ack_:
		ids, err := parseIDs(said.Ack.GetIds())
		if err != nil {
			return err
		}
		c.client.Ack(ids...)
		return nil
	case *persistent.ReadReq_Nack_:
		ids, err := parseIDs(said.Nack.GetIds())
		if err != nil {
			return err
		}
		action := said.Nack.GetAction()
		if _, known := persistent.ReadReq_Nack_Action_name[int32(action)]; !known {
			return invalid("'%s' is not a valid action", action)
		}
		c.client.Nack(groups.Action(action), said.Nack.GetReason(), ids...)
		return nil
	}
	return invalid("after its options, a subscription has acks and nacks")
}

func parseIDs(list []*shared.UUID) ([]uuid.UUID, error) {
	ids := make([]uuid.UUID, 0, len(list))
	for _, l := range list {
		id, err := parseID(l)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func confirmation(id string) *persistent.ReadResp {
	return &persistent.ReadResp{Content: &persistent.ReadResp_SubscriptionConfirmation_{
		SubscriptionConfirmation: &persistent.ReadResp_SubscriptionConfirmation{SubscriptionId: id},
	}}
}

func (c *conversation) answer(d *groups.Delivery) *persistent.ReadResp {
	position := d.Position()
	return &persistent.ReadResp{Content: &persistent.ReadResp_Event{Event: &persistent.ReadResp_ReadEvent{
		Event:    c.recorded(d.Event, position),
		Link:     c.recorded(d.Link, position),
		Position: &persistent.ReadResp_ReadEvent_CommitPosition{CommitPosition: position},
		Count:    &persistent.ReadResp_ReadEvent_RetryCount{RetryCount: int32(d.Retries)},
	}}}
}

// recorded has the position of the link, when there is one, for the event too.
func (c *conversation) recorded(r *node.Record, position uint64) *persistent.ReadResp_ReadEvent_RecordedEvent {
	if r == nil {
		return nil
	}
	return &persistent.ReadResp_ReadEvent_RecordedEvent{
		Id:               c.id(r.ID),
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(r.Stream)},
		StreamRevision:   r.Revision,
		PreparePosition:  position,
		CommitPosition:   position,
		Metadata: map[string]string{
			metaType: r.Type, metaContentType: contentType(r), metaCreated: strconv.FormatInt(r.Created, 10),
		},
		CustomMetadata: r.Metadata,
		Data:           r.Data,
	}
}

func (c *conversation) id(id uuid.UUID) *shared.UUID {
	if c.textIDs {
		return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
	}
	most, least := splitID(id)
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits: int64(most), LeastSignificantBits: int64(least),
	}}}
}
