package node_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/node"
)

// A toll is how many steps each victim had done when it was killed, life by
// life. Their steps are random, but the same in every process.
type toll []map[string]int

var victims = []string{"x", "y", "z"}

// A victim does one thing after the other to streams of its own.
type victim struct {
	generator
	prefix     string
	generation int
	model      *model
}

func newVictim(name string) *victim {
	v := &victim{prefix: name, model: newModel()}
	v.model.loose, v.model.now = true, noon.UnixNano()/100
	return v
}

func (v *victim) begin(life int) {
	v.name = fmt.Sprintf("%s/%d/", v.prefix, life)
	v.rng = rand.New(rand.NewPCG(uint64(life), uint64(v.prefix[0])))
	v.last, v.ids = action{}, 0
}

// renew gives it streams to work on.
func (v *victim) renew() {
	if len(v.streams) == 0 || v.model.gone(v.streams[0]) {
		stream := fmt.Sprintf("%s-%d", v.prefix, v.generation)
		v.streams = append([]string{stream, "$$" + stream}, v.streams...)
		v.generation++
	}
}

func (v *victim) step() action {
	v.renew()
	return v.request(v.model)
}

// dead is the victim as it was after all its lives.
func dead(name string, of toll) *victim {
	v := newVictim(name)
	for life, steps := range of {
		v.begin(life)
		for range steps[name] {
			v.step().apply(v.model)
		}
	}
	v.renew() // a step that it did not tell of may be the first one there
	return v
}

// TestNothingAcknowledgedIsLostByKilling kills as often as WAYBILL_TEST_KILLS
// says.
func TestNothingAcknowledgedIsLostByKilling(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var past toll
	for life := range number("WAYBILL_TEST_KILLS", 4) {
		told := kill(t, dir, past, 60+40*(life%8))
		past = autopsy(t, dir, append(past, told))
	}
}

// kill starts a process, kills it after some steps, and returns how many of them
// each victim had told.
func kill(t *testing.T, dir string, past toll, after int) map[string]int {
	t.Helper()
	history, err := json.Marshal(past)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestVictim$")
	cmd.Env = append(os.Environ(), childVariable+"="+dir+"\n"+string(history))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told, all := map[string]int{}, 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var name string
		var step int
		if _, err := fmt.Sscanf(lines.Text(), "done %s %d", &name, &step); err != nil {
			t.Errorf("the victim says %q", lines.Text())
			continue
		}
		told[name] = step
		if all++; all == after {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // it was killed
	if all < after {
		t.Fatalf("the victim did %d steps, want %d", all, after)
	}
	return told
}

// autopsy opens the store and compares it with what each victim has told: it may
// have done one step more. The toll it returns says what is stored.
func autopsy(t *testing.T, dir string, of toll) toll {
	t.Helper()
	n := open(t, onDisk(dir))
	defer closeNode(t, n)
	wellFormed(t, n)
	rng := rand.New(rand.NewPCG(uint64(len(of)), 3))
	last := maps.Clone(of[len(of)-1])
	found := slices.Clone(of)
	found[len(of)-1] = last
	for _, name := range victims {
		err := diffVictim(n, dead(name, of), rng)
		if err == nil {
			continue
		}
		last[name]++
		if more := diffVictim(n, dead(name, found), rng); more != nil {
			t.Fatalf("%s did %d steps and perhaps one more, but\n\t%v\n\t%v", name, of[len(of)-1][name], err, more)
		}
	}
	return found
}

func diffVictim(n *node.Node, v *victim, rng *rand.Rand) error {
	for _, stream := range v.streams {
		if err := v.model.diffStream(n, stream, rng); err != nil {
			return fmt.Errorf("%s: %w", stream, err)
		}
	}
	o := &owner{generator: v.generator, model: v.model}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return o.retry(ctx, n)
}

// TestVictim goes on where its former lives ended, until it is killed.
func TestVictim(t *testing.T) {
	t.Parallel()
	dir, history, ok := strings.Cut(os.Getenv(childVariable), "\n")
	if !ok {
		return // kill runs it in another process
	}
	var past toll
	if err := json.Unmarshal([]byte(history), &past); err != nil {
		t.Fatal(err)
	}
	n := opened(t, onDisk(dir))
	ctx := deadline(t)
	var living sync.WaitGroup
	for _, name := range victims {
		living.Go(func() {
			v := dead(name, past)
			v.begin(len(past))
			for i := 1; ctx.Err() == nil; i++ {
				fmt.Println(v.live(ctx, n, i)) // before the next step is begun
			}
		})
	}
	living.Wait()
}

// live does a step and says what came of it.
func (v *victim) live(ctx context.Context, n *node.Node, number int) string {
	a := v.step()
	want := a.apply(v.model)
	begun, err := a.begin(ctx, n)
	if err != nil {
		return err.Error()
	}
	got, err := begun.Wait(ctx)
	if refusal(err) != want.refusal || err == nil && got.Revision != want.revision {
		return fmt.Sprintf("%s answered %v %s, in the model %s", a, got, refusal(err), want)
	}
	return fmt.Sprintf("done %s %d", v.prefix, number)
}
