package node_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

func TestScavengingDoesNotFillTheDisk(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	cfg := config(disk)
	cfg.MinFreeBytes = 1 << 20
	n := opened(t, cfg)
	for i := range 300 {
		mustAppend(t, n, node.Append{Stream: "s", Expected: node.ExpectAny, Events: []node.Event{event(fmt.Sprint(i), 4000)}})
	}
	mustAppend(t, n, node.Append{Stream: "$$s", Expected: node.ExpectAny, Events: []node.Event{
		{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: []byte(`{"$maxCount":2}`)},
	}})
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 64 << 20})
	_, err := n.Scavenge(deadline(t), node.Scavenge{Pause: -1})
	if full := (*node.NoSpaceError)(nil); !errors.As(err, &full) || full.Need <= 64<<20 {
		t.Fatalf("it answered %v", err)
	}
	oneLine(t, err, "data", "64 MiB free", "make room")
	mustAppend(t, n, appendTo("t", node.ExpectAny, "a"))
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 200 << 20})
	var stages []string
	done, err := n.Scavenge(deadline(t), node.Scavenge{Pause: -1, Progress: func(p node.Progress) { stages = append(stages, p.Stage) }})
	if err != nil || done.Records != 0 || len(stages) == 0 || stages[len(stages)-1] != "room" {
		t.Errorf("the next one has removed %+v in the stages %v, %v", done, stages, err)
	}
	if done, err := n.Scavenge(deadline(t), node.Scavenge{Pause: -1}); err != nil || done.After > done.Before {
		t.Errorf("the last one answers %+v, %v", done, err)
	}
}
