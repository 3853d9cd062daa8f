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
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, err = bench.StartPlatform(t.Context(), bench.Place{Binary: binary, Dir: platform.dir, Addr: platform.addr})
	if err == nil || !strings.Contains(err.Error(), "of another event store") {
		t.Errorf("started, or said %v", err)
	}
}
