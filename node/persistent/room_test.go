package persistent_test

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

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
