package grpcapi

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"

	"github.com/waybill-dev/waybill/node"
	groups "github.com/waybill-dev/waybill/node/persistent"
)

// subscriptions is what clients call PersistentSubscriptions.
type subscriptions struct {
	persistent.UnimplementedPersistentSubscriptionsServer
	engine *groups.Engine
	gate   *gate
}

// manage is what the calls that change groups have in common.
func (s *subscriptions) manage(ctx context.Context, do func() error) error {
	err := s.gate.authorise(ctx, opManageSubscriptions, "")
	if err == nil {
		err = do()
	}
	if err == nil {
		return nil
	}
	return refuseCall(ctx, explainGroup(err))
}

// Create implements [persistent.PersistentSubscriptionsServer].
func (s *subscriptions) Create(ctx context.Context, req *persistent.CreateReq) (*persistent.CreateResp, error) {
	err := s.manage(ctx, func() error {
		d, err := parseCreate(req.GetOptions())
		if err != nil {
			return err
		}
		d.By = userOf(ctx)
		return s.engine.Create(d)
	})
	return &persistent.CreateResp{}, err
}

// Update implements [persistent.PersistentSubscriptionsServer].
func (s *subscriptions) Update(ctx context.Context, req *persistent.UpdateReq) (*persistent.UpdateResp, error) {
	err := s.manage(ctx, func() error {
		d, err := parseUpdate(req.GetOptions())
		if err != nil {
			return err
		}
		d.By = userOf(ctx)
		return s.engine.Update(d)
	})
	return &persistent.UpdateResp{}, err
}

// Delete implements [persistent.PersistentSubscriptionsServer].
func (s *subscriptions) Delete(ctx context.Context, req *persistent.DeleteReq) (*persistent.DeleteResp, error) {
	err := s.manage(ctx, func() error {
		o := req.GetOptions()
		stream, err := streamOfGroup(o.GetStreamIdentifier(), o.GetAll(), o.GetGroupName())
		if err != nil {
			return err
		}
		if o.GetAll() == nil {
			if err := plainStream(stream, o.GetGroupName()); err != nil {
				return err
			}
		}
		return s.engine.Delete(stream, o.GetGroupName(), userOf(ctx))
	})
	return &persistent.DeleteResp{}, err
}

// ReplayParked implements [persistent.PersistentSubscriptionsServer].
func (s *subscriptions) ReplayParked(ctx context.Context, req *persistent.ReplayParkedReq) (*persistent.ReplayParkedResp, error) {
	err := s.manage(ctx, func() error {
		o := req.GetOptions()
		stream, err := streamOfGroup(o.GetStreamIdentifier(), o.GetAll(), o.GetGroupName())
		if err != nil {
			return err
		}
		switch stop := o.GetStopAtOption().(type) {
		case *persistent.ReplayParkedReq_Options_StopAt:
			return s.engine.Replay(stream, o.GetGroupName(), &stop.StopAt)
		case *persistent.ReplayParkedReq_Options_NoLimit:
			return s.engine.Replay(stream, o.GetGroupName(), nil)
		}
		return refuse(codes.Unknown, panicked+" A replay needs a stop_at or no_limit.")
	})
	return &persistent.ReplayParkedResp{}, err
}

// RestartSubsystem implements [persistent.PersistentSubscriptionsServer].
func (s *subscriptions) RestartSubsystem(ctx context.Context, _ *shared.Empty) (*shared.Empty, error) {
	return &shared.Empty{}, s.manage(ctx, s.engine.Restart)
}

// userOf is who calls, as groups note it.
func userOf(ctx context.Context) string {
	if p := principalOf(ctx); p != nil {
		return p.Login()
	}
	return "anonymous"
}

// streamOfGroup refuses names that could not be sent back in trailers.
func streamOfGroup(stream *shared.StreamIdentifier, all *shared.Empty, group string) (string, error) {
	name := string(stream.GetStreamName())
	switch {
	case all != nil:
		name = groups.All
	case stream == nil:
		return "", refuse(codes.Unknown, panicked+" The request names neither a stream nor $all.")
	}
	return name, node.ValidStream(name + "::" + group)
}

// plainStream refuses $all where the original knows it only under another
// field.
func plainStream(stream, group string) error {
	if stream != groups.All {
		return nil
	}
	return &groups.Error{
		Kind: groups.Failed, Stream: stream, Group: group,
		Reason: "Persistent subscriptions to $all are only supported over gRPC through gRPC clients",
	}
}

// explainGroup makes a refusal of what groups refuse. Other errors stay as they
// are.
func explainGroup(err error) error {
	e, ok := errors.AsType[*groups.Error](err)
	if !ok {
		return err
	}
	code, exception := codes.Internal, "persistent-subscription-failed"
	switch e.Kind {
	case groups.NotFound:
		code, exception = codes.NotFound, "persistent-subscription-does-not-exist"
	case groups.Exists:
		code, exception = codes.AlreadyExists, "persistent-subscription-exists"
	case groups.Full:
		code, exception = codes.FailedPrecondition, "maximum-subscribers-reached"
	case groups.Dropped:
		code, exception = codes.Canceled, "persistent-subscription-dropped"
	case groups.Failed:
	}
	trailers := []string{"exception", exception, "stream-name", e.Stream, "group-name", e.Group}
	if e.Kind == groups.Failed {
		trailers = append(trailers, "reason", printable(e.Reason))
	}
	return refuse(code, e.Error(), trailers...)
}

// printable is what a trailer may hold.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
