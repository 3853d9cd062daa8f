package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/bench"
)

// TestReadModelsOfAnotherEventStoreAreRefused loses the event store and keeps
// the rest: what was read from the old log must not be continued on a new one.
func TestReadModelsOfAnotherEventStoreAreRefused(t *testing.T) {
	t.Parallel()
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	platform.start(t.Context())
	platform.stop()
	platform.start(t.Context()) // the same log is fine
	platform.stop()
	if err := os.RemoveAll(filepath.Join(platform.dir, "events")); err != nil {
		t.Fatal(err)
	}
	refused(t, platform, "of another event store")
}

// refused tries to start, which must say why not.
func refused(t *testing.T, platform *restarting, why string) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, err = bench.StartPlatform(t.Context(), bench.Place{Binary: binary, Dir: platform.dir, Addr: platform.addr})
	if err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("started, or said %v", err)
	}
}

// TestReadModelsOfARestoredEventStoreAreRefused brings a backup back under read
// models that have seen more, and then imports the events elsewhere.
func TestReadModelsOfARestoredEventStoreAreRefused(t *testing.T) {
	t.Parallel()
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	platform.start(t.Context())
	data, other := "--data-dir="+platform.dir, t.TempDir()
	ends(t, exitDone, "backup", data, filepath.Join(other, "backup"))
	ends(t, exitDone, "node", "export", data, filepath.Join(other, "file"))
	platform.stop()
	events, id := filepath.Join(platform.dir, "events"), filepath.Join(platform.dir, "log.id")
	kept, err := os.ReadFile(id)
	if err != nil {
		t.Fatal(err)
	}
	oldForm, _, _ := strings.Cut(string(kept), " ")
	writeID := func(text string) {
		t.Helper()
		if err := os.WriteFile(id, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writeID(oldForm + "\n")
	platform.start(t.Context()) // as an earlier version has left it
	platform.stop()
	if again, err := os.ReadFile(id); err != nil || string(again) != string(kept) {
		t.Errorf("the identity is %q, %v afterwards, want %q", again, err, kept)
	}

	if err := os.RemoveAll(events); err != nil {
		t.Fatal(err)
	}
	ends(t, exitDone, "restore", data, filepath.Join(other, "backup"))
	refused(t, platform, "before a backup was restored")
	writeID(oldForm + "\n")
	refused(t, platform, "before a backup was restored")

	if err := os.RemoveAll(events); err != nil {
		t.Fatal(err)
	}
	writeID(string(kept))
	ends(t, exitDone, "node", "import", data, filepath.Join(other, "file"))
	refused(t, platform, "imported elsewhere")
}
