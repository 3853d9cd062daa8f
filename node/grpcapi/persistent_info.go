package grpcapi

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"google.golang.org/grpc/codes"

	groups "github.com/waybill-dev/waybill/node/persistent"
)

// GetInfo implements [persistent.PersistentSubscriptionsServer].
func (s *subscriptions) GetInfo(ctx context.Context, req *persistent.GetInfoReq) (*persistent.GetInfoResp, error) {
	o := req.GetOptions()
	err := s.gate.authorise(ctx, opListSubscriptions, "")
	if err != nil {
		return nil, refuseCall(ctx, err)
	}
	stream, err := streamOfGroup(o.GetStreamIdentifier(), o.GetAll(), o.GetGroupName())
	if err != nil {
		return nil, refuseCall(ctx, err)
	}
	info, err := s.engine.Info(stream, o.GetGroupName())
	if err != nil {
		return nil, refuseCall(ctx, explainGroup(err))
	}
	return &persistent.GetInfoResp{SubscriptionInfo: answerInfo(&info)}, nil
}

// List implements [persistent.PersistentSubscriptionsServer].
func (s *subscriptions) List(ctx context.Context, req *persistent.ListReq) (*persistent.ListResp, error) {
	list, err := s.list(ctx, req.GetOptions())
	if err != nil {
		return nil, refuseCall(ctx, explainGroup(err))
	}
	resp := &persistent.ListResp{}
	for i := range list {
		resp.Subscriptions = append(resp.Subscriptions, answerInfo(&list[i]))
	}
	return resp, nil
}

func (s *subscriptions) list(ctx context.Context, o *persistent.ListReq_Options) ([]groups.Info, error) {
	if err := s.gate.authorise(ctx, opListSubscriptions, ""); err != nil {
		return nil, err
	}
	switch which := o.GetListOption().(type) {
	case *persistent.ListReq_Options_ListAllSubscriptions:
		return s.engine.List("")
	case *persistent.ListReq_Options_ListForStream:
		stream, err := streamOfGroup(which.ListForStream.GetStream(), which.ListForStream.GetAll(), "")
		if err != nil {
			return nil, err
		}
		if stream == "" {
			return nil, &groups.Error{Kind: groups.NotFound}
		}
		return s.engine.List(stream)
	}
	return nil, refuse(codes.Unknown, panicked+" A list is of one stream or of all.")
}

func answerInfo(i *groups.Info) *persistent.SubscriptionInfo {
	s := &i.Settings
	info := &persistent.SubscriptionInfo{
		EventSource: i.Stream, GroupName: i.Group, Status: i.Status, StartFrom: i.StartFrom,

		AveragePerSecond: int32(i.PerSecond), TotalItems: i.Total, CountSinceLastMeasurement: i.Since,
		LastCheckpointedEventPosition: i.LastCheckpointed, LastKnownEventPosition: i.LastKnown,
		ReadBufferCount: int32(i.ReadBuffer), LiveBufferCount: int64(i.LiveBuffer), RetryBufferCount: int32(i.RetryBuffer),
		TotalInFlightMessages: int32(i.InFlight), OutstandingMessagesCount: int32(i.Outstanding), ParkedMessageCount: i.Parked,

		ResolveLinkTos: s.ResolveLinks, ExtraStatistics: s.ExtraStatistics,
		MessageTimeoutMilliseconds: int32(s.MessageTimeout.Milliseconds()), MaxRetryCount: int32(s.MaxRetries),
		LiveBufferSize: int32(s.LiveBuffer), BufferSize: int32(s.HistoryBuffer), ReadBatchSize: int32(s.ReadBatch),
		CheckPointAfterMilliseconds: int32(s.CheckpointAfter.Milliseconds()),
		MinCheckPointCount:          int32(s.MinCheckpoint), MaxCheckPointCount: int32(s.MaxCheckpoint),
		NamedConsumerStrategy: s.Strategy, MaxSubscriberCount: int32(s.MaxClients),
	}
	for j := range i.Clients {
		info.Connections = append(info.Connections, answerClient(&i.Clients[j]))
	}
	return info
}

func answerClient(c *groups.ClientInfo) *persistent.SubscriptionInfo_ConnectionInfo {
	info := &persistent.SubscriptionInfo_ConnectionInfo{
		From: c.From, Username: c.User, ConnectionName: c.Name,
		AverageItemsPerSecond: int32(c.PerSecond), TotalItems: c.Total, CountSinceLastMeasurement: c.Since,
		AvailableSlots: int32(c.Buffer - c.InFlight), InFlightMessages: int32(c.InFlight),
	}
	for _, m := range c.Measurements {
		info.ObservedMeasurements = append(info.ObservedMeasurements, &persistent.SubscriptionInfo_Measurement{Key: m.Key, Value: m.Value})
	}
	return info
}
