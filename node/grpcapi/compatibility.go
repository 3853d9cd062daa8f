package grpcapi

import (
	"errors"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"

	"github.com/waybill-dev/waybill/node"
)

// checkRead refuses the combinations that the original refuses: what is
// answered here is to be answered there, too.
func checkRead(o *streams.ReadReq_Options) error {
	if o.GetUuidOption() == nil {
		return invalid("the read has no uuid_option")
	}
	if o.GetCountOption() == nil {
		return invalid("the read has neither a count nor is it a subscription")
	}
	if subscribes(o) && backwards(o) {
		return invalid("a subscription cannot go backwards")
	}
	if err := checkFilter(o); err != nil {
		return err
	}
	switch from := o.GetStreamOption().(type) {
	case *streams.ReadReq_Options_Stream:
		if from.Stream.GetRevisionOption() == nil {
			return refuse(codes.Unknown, panicked+" A read needs a place to begin.")
		}
	case *streams.ReadReq_Options_All:
		if from.All.GetAllOption() == nil {
			return refuse(codes.Unknown, panicked+" A read needs a place to begin.")
		}
	default:
		return invalid("the read names neither a stream nor $all")
	}
	return nil
}

func subscribes(o *streams.ReadReq_Options) bool {
	_, ok := o.GetCountOption().(*streams.ReadReq_Options_Subscription)
	return ok
}

func checkFilter(o *streams.ReadReq_Options) error {
	switch f := o.GetFilterOption().(type) {
	case *streams.ReadReq_Options_Filter:
		if o.GetAll() == nil {
			return invalid("only $all can be filtered")
		}
		if f.Filter.GetWindow() == nil {
			return invalid("the filter has neither a max nor a count")
		}
		return nil
	case *streams.ReadReq_Options_NoFilter:
		return nil
	}
	return invalid("the read has neither a filter nor no_filter")
}

// A bounds tells readers of a stream, when they ask for it, what they do not
// see of the events: where the stream begins now, when that is behind where
// they began, and where it ends. Others would take these messages for broken
// ones.
type bounds struct {
	node  *node.Node
	out   streams.Streams_ReadServer
	asked bool
	from  uint64 // where the read begins
	page  uint64 // how many events the original looks at first
	begun bool
}

func (s *service) bounds(o *streams.ReadReq_Options, r *node.StreamRead, out streams.Streams_ReadServer) bounds {
	const originalPage = 32
	return bounds{
		node: s.node, out: out, asked: o.GetControlOption().GetCompatibility() >= 1,
		from: r.From, page: min(o.GetCount(), originalPage), begun: r.Backwards,
	}
}

// before is for each page, before its events are sent. The original tells where
// the stream begins when the first page it looks at is empty.
func (b *bounds) before(r *node.StreamRead, page *node.Page) error {
	if !b.asked || b.begun || len(page.Records) == 0 && !page.End {
		return nil
	}
	b.begun = true
	first, last := uint64(0), min(b.from, math.MaxUint64-b.page)+b.page-1
	if len(page.Records) > 0 {
		if first = page.Records[0].Revision; first <= last {
			return nil
		}
	} else {
		info, err := b.node.Info(r.Stream)
		if err != nil {
			return err
		}
		if first = uint64(info.Last + 1); first == b.from {
			return nil
		}
	}
	return b.out.Send(&streams.ReadResp{Content: &streams.ReadResp_FirstStreamPosition{FirstStreamPosition: first}})
}

// after is for the end of a read.
func (b *bounds) after(r *node.StreamRead) error {
	if !b.asked {
		return nil
	}
	info, err := b.node.Info(r.Stream)
	if deleted := (*node.StreamDeletedError)(nil); errors.As(err, &deleted) || err == nil && info.Last < 0 {
		return nil // since the events were read
	}
	if err != nil {
		return err
	}
	return b.out.Send(&streams.ReadResp{Content: &streams.ReadResp_LastStreamPosition{LastStreamPosition: uint64(info.Last)}})
}

// tellOldClients fills the fields that clients before 20.6.1 read, where no
// stream was a revision.
func tellOldClients(wrong *streams.AppendResp_WrongExpectedVersion, e *node.WrongExpectedError) {
	wrong.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: uint64(e.Current)}
	if e.Current < 0 {
		wrong.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: &shared.Empty{}}
	}
	switch e.Expected {
	case node.ExpectAny:
		wrong.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: &shared.Empty{}}
	case node.ExpectExists:
		wrong.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: &shared.Empty{}}
	default:
		wrong.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: uint64(e.Expected)}
	}
}
