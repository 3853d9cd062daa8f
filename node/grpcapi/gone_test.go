package grpcapi

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// TestWhoeverHasGoneIsSearchedForNoLonger: a filter that nothing matches would
// otherwise let the whole log be read for nobody.
func TestWhoeverHasGoneIsSearchedForNoLonger(t *testing.T) {
	t.Parallel()
	n, err := node.Open(node.Config{
		Dir: "node", FS: vfs.NewMem(), Now: func() time.Time { return time.Unix(1, 0) },
		CacheBytes: 1 << 20, MemTableBytes: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := n.Append(ctx, node.Append{Stream: "s", Expected: node.ExpectAny, Events: []node.Event{{ID: uuid.New(), Type: "T"}}}); err != nil {
		t.Fatal(err)
	}
	cancel()
	o := fromTheEnd("").GetOptions()
	o.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
		AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}},
	}}
	o.CountOption = &streams.ReadReq_Options_Count{Count: 10}
	o.FilterOption = &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
			StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{"nobody"}},
		},
		Window: &streams.ReadReq_Options_FilterOptions_Max{Max: 32}, CheckpointIntervalMultiplier: 1,
	}}
	s := &service{node: n, stopping: make(chan struct{}), census: &census{node: n, all: map[*subscription]string{}}}
	if err := s.read(o, &quickReader{ctx: ctx}); !errors.Is(err, context.Canceled) {
		t.Errorf("the read ended with %v", err)
	}
}
