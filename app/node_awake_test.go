package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/node"
)

func TestProcessorsAreHeldAwakeWhileEventsCome(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("skipping: /proc, which tells what files are open, is Linux's")
	}
	n, err := StartNode(configs.Config{DataDir: t.TempDir(), NodeAddr: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stop := func() { _ = n.Stop(context.Background()) }
	defer func() { stop() }()
	device := filepath.Join(t.TempDir(), "latency")
	if err := n.keepAwake(device, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "--node-keep-awake") {
		t.Errorf("without the device: %v, want what to do", err)
	}
	if err := os.WriteFile(device, []byte("as before"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.keepAwake(device, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	appendOne := func(id byte) {
		event := node.Event{ID: [16]byte{id}, Type: "OrderPlaced", JSON: true, Data: []byte(`{}`)}
		if _, err := n.store.Append(t.Context(), node.Append{Stream: "order-1", Expected: node.ExpectAny, Events: []node.Event{event}}); err != nil {
			t.Fatal(err)
		}
	}
	for id := range byte(2) { // it begins again
		appendOne(id + 1)
		eventually(t, "processors are held awake", func() bool { return holds(t, device) })
		if got, err := os.ReadFile(device); err != nil || string(got[:4]) != "\x00\x00\x00\x00" {
			t.Errorf("asks for %q (%v), want no microsecond", got, err)
		}
		eventually(t, "they may sleep again", func() bool { return !holds(t, device) })
	}
	appendOne(3)
	eventually(t, "processors are held awake", func() bool { return holds(t, device) })
	stop()
	stop = func() {}
	if holds(t, device) {
		t.Error("processors are held awake by a node that has stopped")
	}
}

// holds tells whether this process has a file open.
func holds(t *testing.T, path string) bool {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range open {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", entry.Name())); err == nil && to == path {
			return true
		}
	}
	return false
}
