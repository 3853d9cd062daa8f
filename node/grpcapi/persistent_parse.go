package grpcapi

import (
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"

	"github.com/waybill-dev/waybill/node"
	groups "github.com/waybill-dev/waybill/node/persistent"
)

func parseCreate(o *persistent.CreateReq_Options) (groups.Definition, error) {
	if o.GetSettings() == nil {
		return groups.Definition{}, refuse(codes.Unknown, panicked+" A group needs settings.")
	}
	d := groups.Definition{Group: o.GetGroupName(), Settings: parseSettings(o.GetSettings())}
	if d.Settings.Strategy = o.GetSettings().GetConsumerStrategy(); d.Settings.Strategy == "" {
		d.Settings.Strategy = o.GetSettings().GetNamedConsumerStrategy().String()
	}
	err := parseCreated(o, &d)
	if err != nil {
		return d, err
	}
	return d, node.ValidStream(d.Stream + "::" + d.Group)
}

func parseCreated(o *persistent.CreateReq_Options, d *groups.Definition) (err error) {
	switch from := o.GetStreamOption().(type) {
	case *persistent.CreateReq_Options_All:
		d.Stream = groups.All
		if d.Filter, err = parseGroupFilter(from.All.GetFilter()); err != nil {
			return err
		}
		d.Start, err = parsePosition(from.All)
		return err
	case *persistent.CreateReq_Options_Stream:
		d.Stream = string(from.Stream.GetStreamIdentifier().GetStreamName())
		d.Start, err = parseRevision(from.Stream)
	default: // of clients before $all could be subscribed to
		d.Stream = string(o.GetStreamIdentifier().GetStreamName())
		d.Start, err = startAt(o.GetSettings().GetRevision())
	}
	if err != nil {
		return err
	}
	return plainStream(d.Stream, d.Group)
}

func parseUpdate(o *persistent.UpdateReq_Options) (groups.Definition, error) {
	if o.GetSettings() == nil {
		return groups.Definition{}, refuse(codes.Unknown, panicked+" A group needs settings.")
	}
	d := groups.Definition{Group: o.GetGroupName(), Settings: parseSettings(o.GetSettings())}
	d.Settings.Strategy = o.GetSettings().GetNamedConsumerStrategy().String()
	err := parseUpdated(o, &d)
	if err != nil {
		return d, err
	}
	return d, node.ValidStream(d.Stream + "::" + d.Group)
}

func parseUpdated(o *persistent.UpdateReq_Options, d *groups.Definition) (err error) {
	switch from := o.GetStreamOption().(type) {
	case *persistent.UpdateReq_Options_All:
		d.Stream = groups.All
		d.Start, err = parsePosition(from.All)
		return err
	case *persistent.UpdateReq_Options_Stream:
		d.Stream = string(from.Stream.GetStreamIdentifier().GetStreamName())
		d.Start, err = parseRevision(from.Stream)
	default:
		d.Stream = string(o.GetStreamIdentifier().GetStreamName())
		d.Start, err = startAt(o.GetSettings().GetRevision())
	}
	if err != nil {
		return err
	}
	return plainStream(d.Stream, d.Group)
}

// settings are those of a create and of an update.
type settings interface {
	GetResolveLinks() bool
	GetExtraStatistics() bool
	GetMaxRetryCount() int32
	GetMinCheckpointCount() int32
	GetMaxCheckpointCount() int32
	GetMaxSubscriberCount() int32
	GetLiveBufferSize() int32
	GetReadBatchSize() int32
	GetHistoryBufferSize() int32
	GetMessageTimeoutTicks() int64
	GetMessageTimeoutMs() int32
	GetCheckpointAfterTicks() int64
	GetCheckpointAfterMs() int32
}

func parseSettings(s settings) groups.Settings {
	return groups.Settings{
		ResolveLinks:    s.GetResolveLinks(),
		ExtraStatistics: s.GetExtraStatistics(),
		MessageTimeout:  span(s.GetMessageTimeoutMs(), s.GetMessageTimeoutTicks()),
		MaxRetries:      int(s.GetMaxRetryCount()),
		MaxClients:      int(s.GetMaxSubscriberCount()),
		HistoryBuffer:   int(s.GetHistoryBufferSize()),
		LiveBuffer:      int(s.GetLiveBufferSize()),
		ReadBatch:       int(s.GetReadBatchSize()),
		MinCheckpoint:   int(s.GetMinCheckpointCount()),
		MaxCheckpoint:   int(s.GetMaxCheckpointCount()),
		CheckpointAfter: span(s.GetCheckpointAfterMs(), s.GetCheckpointAfterTicks()),
	}
}

// span is given in ms or in ticks of 100 ns, of which whole ms count.
func span(ms int32, ticks int64) time.Duration {
	const ticksPerMillisecond = 10_000
	if ms == 0 {
		ms = int32(max(min(ticks/ticksPerMillisecond, math.MaxInt32), math.MinInt32))
	}
	return time.Duration(ms) * time.Millisecond
}

// startAt knows the number that stands for the end.
func startAt(revision uint64) (groups.Start, error) {
	switch {
	case revision == math.MaxUint64:
		return groups.Start{End: true}, nil
	case revision > math.MaxInt64:
		return groups.Start{}, refuse(codes.Unknown, panicked+" The revision is too large.")
	}
	return groups.Start{At: int64(revision)}, nil
}

// options of a revision, of a create and of an update.
type revisionOptions interface {
	GetRevision() uint64
	GetStart() *shared.Empty
	GetEnd() *shared.Empty
}

func parseRevision(o revisionOptions) (groups.Start, error) {
	chosen := false
	switch o := o.(type) {
	case *persistent.CreateReq_StreamOptions:
		chosen = o.GetRevisionOption() != nil
	case *persistent.UpdateReq_StreamOptions:
		chosen = o.GetRevisionOption() != nil
	}
	switch {
	case !chosen:
		return groups.Start{}, invalid("'None' is not a valid revision_option")
	case o.GetEnd() != nil:
		return groups.Start{End: true}, nil
	}
	return startAt(o.GetRevision())
}

func parsePosition(o interface {
	GetStart() *shared.Empty
	GetEnd() *shared.Empty
},
) (groups.Start, error) {
	var commit, prepare uint64
	chosen := false
	switch o := o.(type) {
	case *persistent.CreateReq_AllOptions:
		chosen = o.GetAllOption() != nil
		commit, prepare = o.GetPosition().GetCommitPosition(), o.GetPosition().GetPreparePosition()
	case *persistent.UpdateReq_AllOptions:
		chosen = o.GetAllOption() != nil
		commit, prepare = o.GetPosition().GetCommitPosition(), o.GetPosition().GetPreparePosition()
	}
	switch {
	case !chosen:
		return groups.Start{}, invalid("'None' is not a valid all_option")
	case o.GetEnd() != nil:
		return groups.Start{End: true}, nil
	case commit == math.MaxUint64 && prepare == math.MaxUint64:
		return groups.Start{End: true}, nil
	case commit > math.MaxInt64 || prepare > math.MaxInt64:
		return groups.Start{}, refuse(codes.Unknown, panicked+" The position is too large.")
	}
	return groups.Start{At: int64(commit), Prepare: int64(prepare)}, nil
}

// parseGroupFilter returns nil for no filter.
func parseGroupFilter(o *persistent.CreateReq_AllOptions_FilterOptions) (*node.Filter, error) {
	if o == nil {
		return nil, nil
	}
	by, expression := node.ByStream, o.GetStreamIdentifier()
	if e, ok := o.GetFilter().(*persistent.CreateReq_AllOptions_FilterOptions_EventType); ok {
		by, expression = node.ByType, e.EventType
	}
	switch {
	case expression == nil:
		return nil, invalid("the filter has no expression")
	case expression.GetRegex() != "":
		return node.NewRegexFilter(by, expression.GetRegex())
	}
	return &node.Filter{By: by, Prefixes: expression.GetPrefix()}, nil
}
