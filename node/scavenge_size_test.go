package node_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// TestScavengingSaysWhatTheFilesTake compares with the files that are there when
// the store is closed: those that were replaced are gone then.
func TestScavengingSaysWhatTheFilesTake(t *testing.T) {
	t.Parallel()
	cfg := config(vfs.NewMem())
	cfg.MemTableBytes = 8 << 20
	n := open(t, cfg)
	noise := rand.NewChaCha8([32]byte{1})
	for i := range 400 {
		e := event(fmt.Sprint(i), 5000)
		if _, err := noise.Read(e.Data); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, n, node.Append{Stream: fmt.Sprintf("s-%d", i%2), Expected: node.ExpectAny, Events: []node.Event{e}})
	}
	mustAppend(t, n, node.Append{Stream: "$$s-0", Expected: node.ExpectAny, Events: []node.Event{
		{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: []byte(`{"$maxCount":2}`)},
	}})
	done, err := n.Scavenge(deadline(t), node.Scavenge{Pause: -1})
	if err != nil {
		t.Fatal(err)
	}
	closeNode(t, n)
	if are := storedBytes(t, cfg); done.Before < 1_700_000 || done.After > are+are/4+(600<<10) || done.After < are-are/4 {
		t.Errorf("it says that the files have %d bytes and had %d; they have %d", done.After, done.Before, are)
	}
}

func storedBytes(t *testing.T, cfg node.Config) (size uint64) {
	t.Helper()
	names, err := cfg.FS.List(cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		info, err := cfg.FS.Stat(cfg.FS.PathJoin(cfg.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob") {
			size += uint64(info.Size())
		}
	}
	return size
}
