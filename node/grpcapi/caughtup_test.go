package grpcapi_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

// added are the numbers in fields that the generated code does not know, those of
// messages within too: "1.1" is the first field of the first.
func added(tb testing.TB, b []byte, path string) map[string]uint64 {
	tb.Helper()
	list := map[string]uint64{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			tb.Fatalf("%x is no field", b)
		}
		name := fmt.Sprint(path, number)
		b = b[n:]
		if kind == protowire.VarintType {
			list[name], n = protowire.ConsumeVarint(b)
		} else {
			var within []byte
			within, n = protowire.ConsumeBytes(b)
			maps.Copy(list, added(tb, within, name+"."))
		}
		if n < 0 {
			tb.Fatalf("%x is no value", b)
		}
		b = b[n:]
	}
	return list
}

// TestCaughtUpSaysWhenAndWhere: clients from 25.0 on go on from there.
func TestCaughtUpSaysWhenAndWhere(t *testing.T) {
	t.Parallel()
	onlyHere(t) // the version modelled does not
	target := address(t)
	c := connect(t, target)
	stream := unique("caught")
	at := func(position uint64) func(*streams.ReadReq_Options) {
		return func(o *streams.ReadReq_Options) {
			o.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
				AllOption: &streams.ReadReq_Options_AllOptions_Position{
					Position: &streams.ReadReq_Options_Position{CommitPosition: position, PreparePosition: position},
				},
			}}
		}
	}
	all := func(o *streams.ReadReq_Options) {
		o.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
			AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}},
		}}
	}
	end := func(o *streams.ReadReq_Options) {
		if s := o.GetStream(); s != nil {
			s.RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}}
			return
		}
		o.GetAll().AllOption = &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}
	}
	filtered := func(o *streams.ReadReq_Options) {
		o.FilterOption = &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
			Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
				StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{"nobody"}},
			},
			Window:                       &streams.ReadReq_Options_FilterOptions_Count{Count: &shared.Empty{}},
			CheckpointIntervalMultiplier: 1,
		}}
	}
	type change = func(*streams.ReadReq_Options)
	none := map[string]uint64{}
	if diff := cmp.Diff(none, caughtUp(t, target, stream, all)); diff != "" {
		t.Errorf("an empty log (-want +got):\n%s", diff)
	}
	first := mustAppend(t, c, stream, "a").CommitPosition
	last := mustAppend(t, c, stream, "bc").CommitPosition
	position := func(n uint64) map[string]uint64 { return map[string]uint64{"3.1": n, "3.2": n} }
	for _, row := range []struct {
		name, stream string
		changes      []change
		want         map[string]uint64
	}{
		{"a stream", stream, nil, map[string]uint64{"2": 2}},
		{"a stream from its end", stream, []change{end}, map[string]uint64{"2": 2}},
		{"a stream that is not there", unique("none"), nil, none},
		{"the log", "", []change{all}, position(last)},
		{"the log from its end", "", []change{all, end}, position(last)},
		{"the log from a position", "", []change{at(first)}, position(last)},
		{"the log from its last position", "", []change{at(last)}, position(last)},
		{"the log of which nothing passes", "", []change{all, filtered}, position(last)},
		{"the rest of a log of which nothing passes", "", []change{at(last), filtered}, position(last)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(row.want, caughtUp(t, target, row.stream, row.changes...)); diff != "" {
				t.Errorf("it caught up (-want +got):\n%s", diff)
			}
		})
	}
}

// caughtUp is where a subscription says that it has caught up.
func caughtUp(t *testing.T, target, stream string, changes ...func(*streams.ReadReq_Options)) map[string]uint64 {
	t.Helper()
	o := readOptions(stream, func(o *streams.ReadReq_Options) {
		o.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	})
	for _, change := range changes {
		change(o)
	}
	call, err := streams.NewStreamsClient(dial(t, target)).Read(deadline(t), &streams.ReadReq{Options: o})
	if err != nil {
		t.Fatal(err)
	}
	for {
		resp, err := call.Recv()
		if err != nil {
			t.Fatal(err)
		}
		switch said := resp.GetContent().(type) {
		case *streams.ReadResp_Checkpoint_:
			if when := added(t, said.Checkpoint.ProtoReflect().GetUnknown(), ""); when["3.1"] == 0 {
				t.Errorf("the checkpoint has %v besides, want the time", when)
			}
		case *streams.ReadResp_CaughtUp_:
			got := added(t, said.CaughtUp.ProtoReflect().GetUnknown(), "")
			if got["1.1"] < 1<<30 {
				t.Errorf("it caught up %d seconds after 1970", got["1.1"])
			}
			delete(got, "1.1")
			delete(got, "1.2")
			return got
		}
	}
}
