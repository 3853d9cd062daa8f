package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// holding is a directory with one file in it.
func holding(t *testing.T, name string, content []byte) vfs.FS {
	t.Helper()
	disk := vfs.NewMem()
	if err := disk.MkdirAll("data", 0o750); err != nil {
		t.Fatal(err)
	}
	f := files{fs: disk}
	if err := f.writeFile(disk.PathJoin("data", name), content); err != nil {
		t.Fatal(err)
	}
	return disk
}

// FuzzMark reads what may stand in the file that says where the log ended: an
// end that was written there, or the answer that it is damaged.
func FuzzMark(f *testing.F) {
	mark := func(end uint64) []byte { return fmt.Appendf(nil, markFormat, end, checksum(end, nil)) }
	f.Add(mark(logStart))
	f.Add(mark(1 << 40))
	f.Add(mark(7)[:20])
	f.Add([]byte("the log ended at 18446744073709551616 (00000000)\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		end, err := readMark(holding(t, markFile, b), "data")
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("the answer is %v", err)
			}
			return
		}
		if again, err := readMark(holding(t, markFile, mark(end)), "data"); err != nil || again != end {
			t.Errorf("%q says %d, and written again %d, %v", b, end, again, err)
		}
	})
}

// FuzzRestoring reads what may stand in the file of a restore under way. Whatever
// it is, nothing is restored over a directory that another backup was being
// restored into.
func FuzzRestoring(f *testing.F) {
	m := aManifest()
	ours, err := json.Marshal(&restoring{
		Restored: Restored{ID: uuid.UUID{1}, Of: m.ID, Taken: time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC), End: m.End}, Manifest: seal(m.encode()),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ours)
	f.Add(ours[:len(ours)/2])
	f.Add([]byte("null"))
	f.Add([]byte(`{"manifest":"another"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		disk := holding(t, restoringName, b)
		mark, err := readRestoring(disk, "data")
		if err == nil {
			again, err := json.Marshal(mark)
			if err != nil {
				return // a time that JSON cannot have
			}
			read, err := readRestoring(holding(t, restoringName, again), "data")
			if diff := cmp.Diff(mark, read); err != nil || diff != "" {
				t.Errorf("it differs after another round: %v\n%s", err, diff)
			}
		} else if !errors.Is(err, ErrDamaged) {
			t.Errorf("the answer is %v", err)
		}
		r := &restore{files: files{fs: disk}, cfg: Config{Dir: "data"}}
		if begun, err := r.begin(m); err == nil && begun.Manifest != seal(m.encode()) {
			t.Errorf("a restore goes on with %+v", begun)
		}
		if mustBeWhole(disk, "data") == nil {
			t.Error("a store that is there in part may be opened")
		}
	})
}
