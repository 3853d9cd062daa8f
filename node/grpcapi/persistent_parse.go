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

func parseCreate(o *persistent.CreateReq_Options) (d groups.Definition, err error) {
	if o.GetSettings() == nil {
		return d, refuse(codes.Unknown, panicked+" A group needs settings.")
	}
	d.Group, d.Settings = o.GetGroupName(), parseSettings(o.GetSettings())
	if d.Settings.Strategy = o.GetSettings().GetConsumerStrategy(); d.Settings.Strategy == "" {
		d.Settings.Strategy = o.GetSettings().GetNamedConsumerStrategy().String() //nolint:staticcheck // what clients before 21.10 send
	}
	switch from := o.GetStreamOption().(type) {
	case *persistent.CreateReq_Options_All:
		if d.Filter, err = parseGroupFilter(from.All.GetFilter()); err != nil {
			return d, err
		}
		d.Stream = groups.All
		d.Start, err = startOfLog(from.All.GetAllOption() != nil, from.All.GetEnd(), from.All.GetPosition())
		return d, orInvalid(&d, err)
	case *persistent.CreateReq_Options_Stream:
		d.Stream = string(from.Stream.GetStreamIdentifier().GetStreamName())
		d.Start, err = startOfStream(from.Stream.GetRevisionOption() != nil, from.Stream.GetEnd(), from.Stream.GetRevision())
	default:
		d.Start, err = startAsBefore(&d, o, o.GetSettings())
	}
	return d, orPlain(&d, err)
}

func parseUpdate(o *persistent.UpdateReq_Options) (d groups.Definition, err error) {
	if o.GetSettings() == nil {
		return d, refuse(codes.Unknown, panicked+" A group needs settings.")
	}
	d.Group, d.Settings = o.GetGroupName(), parseSettings(o.GetSettings())
	d.Settings.Strategy = o.GetSettings().GetNamedConsumerStrategy().String()
	switch from := o.GetStreamOption().(type) {
	case *persistent.UpdateReq_Options_All:
		d.Stream = groups.All
		d.Start, err = startOfLog(from.All.GetAllOption() != nil, from.All.GetEnd(), from.All.GetPosition())
		return d, orInvalid(&d, err)
	case *persistent.UpdateReq_Options_Stream:
		d.Stream = string(from.Stream.GetStreamIdentifier().GetStreamName())
		d.Start, err = startOfStream(from.Stream.GetRevisionOption() != nil, from.Stream.GetEnd(), from.Stream.GetRevision())
	default:
		d.Start, err = startAsBefore(&d, o, o.GetSettings())
	}
	return d, orPlain(&d, err)
}

// orInvalid refuses names that could not be sent back in trailers.
func orInvalid(d *groups.Definition, err error) error {
	if err != nil {
		return err
	}
	return node.ValidStream(d.Stream + "::" + d.Group)
}

// orPlain refuses $all as well.
func orPlain(d *groups.Definition, err error) error {
	if err := orInvalid(d, err); err != nil {
		return err
	}
	return plainStream(d.Stream, d.Group)
}

// startAsBefore reads the fields of clients before 21.10, which knew streams
// only.
func startAsBefore(d *groups.Definition, o interface {
	GetStreamIdentifier() *shared.StreamIdentifier
}, s interface{ GetRevision() uint64 },
) (groups.Start, error) {
	d.Stream = string(o.GetStreamIdentifier().GetStreamName())
	return startAt(s.GetRevision())
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

func startOfStream(chosen bool, end *shared.Empty, revision uint64) (groups.Start, error) {
	switch {
	case !chosen:
		return groups.Start{}, invalid("'None' is not a valid revision_option")
	case end != nil:
		return groups.Start{End: true}, nil
	}
	return startAt(revision)
}

// startOfLog is the start of the log when there is no position.
func startOfLog(chosen bool, end *shared.Empty, at interface {
	GetCommitPosition() uint64
	GetPreparePosition() uint64
},
) (groups.Start, error) {
	commit, prepare := at.GetCommitPosition(), at.GetPreparePosition()
	switch {
	case !chosen:
		return groups.Start{}, invalid("'None' is not a valid all_option")
	case end != nil, commit == math.MaxUint64 && prepare == math.MaxUint64:
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
