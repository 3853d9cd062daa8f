package persistent_test

import (
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/persistent"
)

// room is how much the disk of the world has.
func (w *world) room(bytes uint64) {
	w.Helper()
	w.fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: bytes})
	pass(time.Second) // the store looks now and then
}

// TestWhatFoundNoRoomIsWrittenWhenThereIsSome: checkpoints, parked messages, and
// what removes replayed ones. Until then nothing is taken for done.
func TestWhatFoundNoRoomIsWrittenWhenThereIsSome(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.room(1 << 40)
		w.append("s", "abcd")
		w.create("s", eager)
		m := w.join("s", 10)
		m.wants("abcd")
		w.room(10 << 20)
		m.ack("a")
		m.nack(persistent.ActionPark, "b")
		m.ack("c")
		pass(5 * time.Second)
		if got, parked := w.checkpoint("s"), len(w.parked("s")); got != "" || parked != 0 {
			t.Errorf("without room the checkpoint is %s, and %d messages are parked", got, parked)
		}
		w.room(1 << 40)
		pass(2 * time.Second)
		if got, parked := w.checkpoint("s"), len(w.parked("s")); got != `"2"` || parked != 1 {
			t.Errorf("with room the checkpoint is %s, and %d messages are parked", got, parked)
		}
		if err := w.engine.Replay("s", "g", nil); err != nil {
			t.Fatal(err)
		}
		m.wants("b")
		w.room(10 << 20)
		m.ack("b")
		pass(5 * time.Second)
		if parked := len(w.parked("s")); parked != 1 {
			t.Errorf("without room %d messages are parked after a replay", parked)
		}
		w.room(1 << 40)
		pass(2 * time.Second)
		if parked := len(w.parked("s")); parked != 0 {
			t.Errorf("with room %d messages are parked after a replay", parked)
		}
		m.wants("")
	})
}

// truncations counts how often the parked stream was told where to begin.
func (w *world) truncations(stream string) int {
	w.Helper()
	p, err := w.node.ReadStream(node.StreamRead{
		Stream: "$$$persistentsubscription-" + stream + "::g-parked", From: node.FromEnd, Backwards: true, Limit: 1,
	})
	if missing := (*node.NotFoundError)(nil); errors.As(err, &missing) {
		return 0
	}
	if err != nil {
		w.Fatal(err)
	}
	return int(p.Records[0].Revision) + 1 //nolint:gosec // of a few events
}

// TestReplayedMessagesAreRemovedNowAndThen: at a tick, and when all are done, but
// not one by one; and nothing is written where nothing is removed.
func TestReplayedMessagesAreRemovedNowAndThen(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcd")
		w.create("s")
		m := w.join("s", 10)
		m.wants("abcd")
		m.nack(persistent.ActionPark, "abcd")
		pass(time.Second)
		if err := w.engine.Replay("s", "g", nil); err != nil {
			t.Fatal(err)
		}
		m.wants("abcd")
		m.ack("a")
		m.ack("b")
		if n := w.truncations("s"); n != 0 {
			t.Errorf("of four messages that were replayed two are done, and %d times they were removed", n)
		}
		pass(time.Second)
		if n, left := w.truncations("s"), len(w.parked("s")); n != 1 || left != 2 {
			t.Errorf("a tick later they were removed %d times, and %d are left", n, left)
		}
		m.ack("cd")
		if n, left := w.truncations("s"), len(w.parked("s")); n != 2 || left != 0 {
			t.Errorf("when all are done they were removed %d times, and %d are left", n, left)
		}
		w.close()
		w.open()
		for range 2 {
			if err := w.engine.Replay("s", "g", nil); err != nil {
				t.Fatal(err)
			}
			pass(2 * time.Second)
		}
		if n := w.truncations("s"); n != 2 {
			t.Errorf("a replay of nothing has written %d times", n-2)
		}
	})
}
