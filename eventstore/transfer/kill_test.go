package transfer_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/eventstore/transfer"
)

// childVariable is set in processes that tests start: to what they do, the
// connection string and the file.
const childVariable = "WAYBILL_TEST_CHILD"

func TestChild(t *testing.T) { //nolint:paralleltest // it is another process's only test
	task := strings.Split(os.Getenv(childVariable), " ")
	if len(task) != 3 {
		t.Skip("it is for processes that other tests start")
	}
	at := transfer.Database{ConnectionString: task[1]}
	var err error
	if task[0] == "export" {
		_, err = (&transfer.Export{From: at, File: task[2], Now: noon}).Run(deadline(t))
	} else {
		_, err = (&transfer.Import{To: at, File: task[2], Workers: 4}).Run(deadline(t))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestKilledTransfersGoOn(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	history(t, from, 9, 600)
	killed := untilDone(t, "export "+from+" "+file, func() bool {
		_, err := os.Stat(file) // the last thing a process does before it ends
		return err == nil
	})
	killed += untilDone(t, "import "+to+" "+file, func() bool { return false })
	t.Logf("%d processes were killed", killed)
	same(t, from, to)
}

// untilDone runs a task again and again, and kills it ever later.
func untilDone(t *testing.T, task string, done func() bool) (killed int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	for limit := 20 * time.Millisecond; ; limit += limit/20 + time.Duration(rng.Int64N(int64(limit/5))) {
		cmd := exec.CommandContext(deadline(t), os.Args[0], "-test.run=^TestChild$")
		cmd.Env = append(os.Environ(), childVariable+"="+task)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		if err == nil || done() {
			return killed
		}
		if cmd.ProcessState.Exited() {
			t.Fatalf("%s: %v", task, err)
		}
		killed++
	}
}
