package grpcapi_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// The official client for Node.js appends in batches, wants ids as text and
// tells errors apart by their details and trailers: what the Go client never
// looks at.
func TestNodeJSClient(t *testing.T) {
	t.Parallel()
	dir := nodeJSClient(t)
	target := os.Getenv(conformance)
	if target == "" {
		target = nodetest.New(t, nodetest.Config{Node: node.Config{MemTableBytes: 1 << 20}}).ConnectionString()
	}
	out, err := runIn(t, dir, "node", "client.cjs", target)
	if err != nil || !strings.Contains(out, "\ndone ") {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(out)
}

// nodeJSClient returns a folder with the client installed, or skips.
func nodeJSClient(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("skipping the Node.js client: -short")
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("skipping the Node.js client: %s is not installed", program)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/nodejs")); err != nil {
		t.Fatal(err)
	}
	if out, err := runIn(t, dir, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"); err != nil {
		t.Skipf("skipping the Node.js client: it cannot be had: %v\n%s", err, out)
	}
	return dir
}

func runIn(t *testing.T, dir, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}
