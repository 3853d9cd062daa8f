package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/node"
)

// someEvents makes a data folder with an event store in it.
func someEvents(t *testing.T, dir string) {
	t.Helper()
	n, err := node.Open(node.Config{Dir: filepath.Join(dir, "events"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 20 {
		a := node.Append{Stream: "order-1", Expected: node.ExpectAny, Events: []node.Event{{ID: uuid.New(), Type: "Happened"}}}
		if _, err := n.Append(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

// ends runs a command, which must end with the code, and returns what it printed.
func ends(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if code := run(ctx, args, &out, &errOut); code != want {
		t.Fatalf("%v ended with %d, want %d:\n%s%s", args, code, want, out.String(), errOut.String())
	}
	return out.String() + errOut.String()
}

func TestEventsAreBackedUpAndRestored(t *testing.T) {
	t.Parallel()
	for _, served := range []bool{false, true} {
		dir := t.TempDir()
		data := "--data-dir=" + filepath.Join(dir, "data")
		someEvents(t, filepath.Join(dir, "data"))
		stop := func() {}
		if served {
			stop = serveEvents(t, filepath.Join(dir, "data"))
		}
		ends(t, exitDone, "node", "verify", data)
		ends(t, exitDone, "verify", data, "--json")
		ends(t, exitDone, "node", "backup", data, filepath.Join(dir, "backup"))
		ends(t, exitDone, "verify", "--backup", filepath.Join(dir, "backup"))
		ends(t, exitFailed, "backup", data, filepath.Join(dir, "backup"))
		var done node.Scavenged
		if text := ends(t, exitDone, "node", "scavenge", data, "--json"); json.Unmarshal([]byte(text), &done) != nil {
			t.Errorf("scavenge has printed %s", text)
		}
		ends(t, exitFailed, "restore", data, filepath.Join(dir, "backup"))
		stop()
		restored := "--data-dir=" + filepath.Join(dir, "restored")
		ends(t, exitDone, "restore", restored, filepath.Join(dir, "backup"), "--verify")
		breakBackup(t, filepath.Join(dir, "backup"))
		ends(t, exitFailed, "verify", "--json", "--backup", filepath.Join(dir, "backup"))
		if text := ends(t, exitDone, "node", "verify", restored); !strings.Contains(text, "events    21 in 2 streams") {
			t.Errorf("verify has printed %s", text)
		}
	}
}

func breakBackup(t *testing.T, dir string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "OPTIONS-*"))
	if err != nil || len(logs) == 0 {
		t.Fatal(logs, err)
	}
	if err := os.Truncate(logs[0], 5); err != nil {
		t.Fatal(err)
	}
}

func serveEvents(t *testing.T, dir string) (stop func()) {
	t.Helper()
	n, err := app.StartNode(configs.Config{DataDir: dir, NodeAddr: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
}

func TestDamagedEventsEndVerifyWithOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	someEvents(t, dir)
	manifests, err := filepath.Glob(filepath.Join(dir, "events", "MANIFEST-*"))
	if err != nil || len(manifests) == 0 {
		t.Fatal(manifests, err)
	}
	for _, path := range manifests {
		if err := os.Truncate(path, 20); err != nil {
			t.Fatal(err)
		}
	}
	if text := ends(t, exitFailed, "node", "verify", "--data", dir); !strings.Contains(text, "MANIFEST") {
		t.Errorf("verify has printed %s", text)
	}
	ends(t, exitFailed, "node", "verify", "--data", filepath.Join(dir, "nowhere"))
}

func TestEventsMoveToAnotherStoreAndBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	someEvents(t, first)
	ends(t, exitFailed, "node", "export", "--data", filepath.Join(dir, "nowhere"), filepath.Join(dir, "file"))
	text := ends(t, exitDone, "node", "export", "--data", first, filepath.Join(dir, "file"))
	if !strings.Contains(text, "exported  20 events") {
		t.Errorf("export has printed %s", text)
	}
	stop := serveEvents(t, second)
	defer stop()
	for range 2 {
		text = ends(t, exitDone, "node", "import", "--data", second, filepath.Join(dir, "file"))
		if !strings.Contains(text, "imported  20 events") {
			t.Errorf("import has printed %s", text)
		}
	}
	if text := ends(t, exitDone, "node", "verify", "--data", second); !strings.Contains(text, "events    20 in 1 streams") {
		t.Errorf("verify has printed %s", text)
	}
	ends(t, exitUsage, "node", "import", "--data", second, filepath.Join(dir, "file"), "--workers=0")
}

// TestAProcessThatServesTheEventsIsNamedOnlyWhenItIsNotReached: what else is
// wrong has nothing to do with how to reach it.
func TestAProcessThatServesTheEventsIsNamedOnlyWhenItIsNotReached(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	someEvents(t, dir)
	backup := filepath.Join(dir, "backup")
	stop := serveEvents(t, dir)
	ends(t, exitDone, "node", "backup", "--data", dir, backup)
	text := ends(t, exitFailed, "node", "backup", "--data", dir, backup)
	if strings.Contains(text, "another process") || !strings.Contains(text, backup) {
		t.Errorf("a backup that is there already: %s", text)
	}
	stop()
	cert, key := certificate(t)
	_, stop = runNode(t, "node", "--data", dir, "--addr", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)
	defer stop()
	text = ends(t, exitFailed, "node", "verify", "--data", dir)
	if !strings.Contains(text, "another process serves the data directory") || !strings.Contains(text, "which was not reached") || !strings.Contains(text, "--connect") {
		t.Errorf("a node that has TLS: %s", text)
	}
}

// TestAnImportIntoAFullStoreSaysWhatItWaitsFor: and that it need not be waited
// for.
func TestAnImportIntoAFullStoreSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	someEvents(t, filepath.Join(dir, "from"))
	file, target := filepath.Join(dir, "file"), filepath.Join(dir, "to")
	ends(t, exitDone, "node", "export", "--data", filepath.Join(dir, "from"), file)
	text := ends(t, exitFailed, "node", "import", "--data", target, file, "--node-min-free-bytes=1000000000000000", "--patience=3s")
	for _, part := range []string{"waiting: the event store takes nothing now", "MiB free", "(--patience)", "Ctrl-C", "run the same command"} {
		if !strings.Contains(text, part) {
			t.Errorf("import does not say %q: %s", part, text)
		}
	}
	ends(t, exitDone, "node", "import", "--data", target, file)
}
