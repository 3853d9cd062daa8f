package node_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/node"
)

func TestNothingAcknowledgedIsLostByKilling(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	told := 0
	for life := range 4 {
		told += kill(t, dir, told, 50*(life+1))
	}
	n := opened(t, onDisk(dir))
	list, err := wholeStream(n, "victim")
	if err != nil || len(list) < told {
		t.Fatalf("%d events are there, %v; %d were acknowledged", len(list), err, told)
	}
	for i, r := range list {
		if r.ID != event(fmt.Sprint(i), 0).ID {
			t.Fatalf("event %d is another one", i)
		}
	}
	wellFormed(t, n)
}

// kill starts a process that appends, kills it after it acknowledged some, and
// returns how many it had acknowledged in all.
func kill(t *testing.T, dir string, from, after int) (told int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestVictim$")
	cmd.Env = append(os.Environ(), childVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var revision int
		if _, err := fmt.Sscanf(lines.Text(), "stored %d", &revision); err != nil {
			t.Fatalf("the victim says %q", lines.Text())
		}
		if told++; told == after {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // it was killed
	if told < after {
		t.Fatalf("the victim acknowledged %d appends after %d, want %d", told, from, after)
	}
	return told
}

// TestVictim appends to a stream where a former life ended, until it is killed.
func TestVictim(t *testing.T) {
	t.Parallel()
	dir := os.Getenv(childVariable)
	if dir == "" {
		return // kill runs it in another process
	}
	n := opened(t, onDisk(dir))
	list, err := wholeStream(n, "victim")
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		name := fmt.Sprint(len(list))
		done := mustAppend(t, n, appendTo("victim", node.Expected(len(list)-1), name))
		list = append(list, nil)
		fmt.Printf("stored %d\n", done.Revision)
	}
}
