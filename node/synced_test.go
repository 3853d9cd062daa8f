package node

import (
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestAHeadThatIsNotSyncedIsNotShown, although the files have it: whoever asks
// waits until the log has come to where it was changed.
func TestAHeadThatIsNotSyncedIsNotShown(t *testing.T) {
	t.Parallel()
	n, err := Open(Config{Dir: "data", FS: vfs.NewMem(), Now: time.Now, CacheBytes: 1 << 20, MemTableBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		n.closed.Store(false)
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	n.closed.Store(true) // nobody waits
	end := n.end.Load()
	for changed, shown := range map[uint64]bool{end - 1: true, end: false, end + 1: false} {
		h := &head{id: 99, changed: changed}
		if err := n.db.Set(nameKey("s"), h.encode(), pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		got, err := n.syncedHead("s")
		if shown && (err != nil || got.id != 99) || !shown && !errors.Is(err, ErrClosed) {
			t.Errorf("a head that was changed at %d of a log up to %d is %+v, %v", changed, end, got, err)
		}
	}
	if err := n.db.Delete(nameKey("s"), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
}
