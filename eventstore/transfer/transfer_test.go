package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/eventstore/transfer"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

func same(tb testing.TB, from, to string) {
	tb.Helper()
	if diff := cmp.Diff(contents(tb, from), contents(tb, to)); diff != "" {
		tb.Errorf("the streams differ (-source +target):\n%s", diff)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
			history(t, from, seed, 250)
			exported := exportTo(t, from, file)
			if want := events(t, from); int(exported.Events) != want {
				t.Errorf("%d events were exported, the log has %d", exported.Events, want)
			}
			imported := importInto(t, to, file)
			same(t, from, to)
			if imported.Left["system"] == 0 {
				t.Error("no system events were left behind")
			}
			before := events(t, to)
			again := importInto(t, to, file)
			if again.Skipped == 0 || again.Skipped > again.Events || imported.Skipped != 0 {
				t.Errorf("of %d events the second time did not send %d again, and the first time %d", again.Events, again.Skipped, imported.Skipped)
			}
			if again.Skipped = 0; !cmp.Equal(again, imported) {
				t.Errorf("the second time the answer is %+v, it was %+v", again, imported)
			}
			if after := events(t, to); after != before {
				t.Errorf("the second time has added %d events", after-before)
			}
			same(t, from, to)
		})
	}
}

func TestOrderIsKept(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	history(t, from, 7, 250)
	exportTo(t, from, file)
	i := transfer.Import{To: transfer.Database{ConnectionString: to}, File: file, Workers: 1}
	if _, err := i.Run(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(carriedIDs(t, from), carriedIDs(t, to)); diff != "" {
		t.Errorf("the order differs (-source +target):\n%s", diff)
	}
}

// carriedIDs are the ids of the log's ordinary events, in its order.
func carriedIDs(tb testing.TB, connection string) (ids []string) {
	tb.Helper()
	log, err := connect(tb, connection).ReadAll(deadline(tb), esdb.ReadAllOptions{From: esdb.Start{}}, 1<<40)
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close()
	for {
		e, err := log.Recv()
		if err != nil {
			return ids
		}
		if r := e.OriginalEvent(); !strings.HasPrefix(r.StreamID, "$") && r.EventType != "$streamDeleted" {
			ids = append(ids, r.EventID.String())
		}
	}
}

func TestInterruptedExportGoesOn(t *testing.T) {
	t.Parallel()
	n := serve(t)
	from, to, file := n.ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	history(t, from, 1, 200)
	whole := exportTo(t, from, file+".whole")
	rng := rand.New(rand.NewPCG(3, 3))
	frames, err := os.ReadFile(file + ".whole")
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		// As a process leaves it that was killed, or a machine that lost power.
		cut := bytes.Clone(frames[:rng.IntN(len(frames)+1)])
		if rng.IntN(2) == 0 && len(cut) > 10 {
			cut[len(cut)-5] ^= 1
		}
		if err := os.WriteFile(file+".partial", cut, 0o600); err != nil {
			t.Fatal(err)
		}
		got := exportTo(t, from, file)
		if got.Events != whole.Events || got.End.ID != whole.End.ID {
			t.Errorf("from %d of %d bytes on, %+v is exported, want %+v", len(cut), len(frames), got, whole)
		}
		if err := os.Rename(file, file+".done"); err != nil {
			t.Fatal(err)
		}
	}
	importInto(t, to, file+".done")
	same(t, from, to)
}

func TestInterruptedImportGoesOn(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	history(t, from, 2, 250)
	exportTo(t, from, file)
	for stop := 3; ; stop += 20 {
		ctx, cancel := context.WithCancel(deadline(t))
		left := stop
		i := transfer.Import{To: transfer.Database{ConnectionString: to}, File: file, Workers: 4, Progress: func(string, uint64, uint64) {
			if left--; left <= 0 {
				cancel()
			}
		}}
		_, err := i.Run(ctx)
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	same(t, from, to)
}

func TestOutagesAreWaitedFor(t *testing.T) {
	t.Parallel()
	source, target, file := serve(t), serve(t), fileIn(t)
	history(t, source.ConnectionString(), 4, 300)
	e := transfer.Export{From: transfer.Database{ConnectionString: source.ConnectionString()}, File: file, Now: noon}
	restarts := 0
	e.Progress = func(string, uint64, uint64) {
		if restarts++; restarts == 1 {
			source.Restart()
		}
	}
	if _, err := e.Run(deadline(t)); err != nil {
		t.Fatal(err)
	}
	i := transfer.Import{To: transfer.Database{ConnectionString: target.ConnectionString()}, File: file, Workers: 4}
	steps := 0
	i.Progress = func(stage string, _, _ uint64) {
		if steps++; stage == "import" && steps%60 == 0 {
			target.Restart()
		}
	}
	if _, err := i.Run(deadline(t)); err != nil {
		t.Fatal(err)
	}
	same(t, source.ConnectionString(), target.ConnectionString())
}

func TestIncrementalExport(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	previous := ""
	for i := range 4 {
		history(t, from, uint64(20+i), 60)
		next := fmt.Sprintf("%s.%d", file, i)
		e := transfer.Export{From: transfer.Database{ConnectionString: from}, File: next, After: previous, Now: noon}
		if _, err := e.Run(deadline(t)); err != nil {
			t.Fatal(err)
		}
		importInto(t, to, next)
		importInto(t, to, next)
		same(t, from, to)
		previous = next
	}
}

func TestAnotherLogIsRefused(t *testing.T) {
	t.Parallel()
	from, other, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	history(t, from, 5, 60)
	history(t, other, 5, 60)
	exportTo(t, from, file)
	e := transfer.Export{From: transfer.Database{ConnectionString: other}, File: file + ".2", After: file, Now: noon}
	if _, err := e.Run(deadline(t)); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("an export that continues another log answers %v", err)
	}
}

func TestTargetWithOtherEventsIsRefused(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]int{"shorter streams": 1, "longer streams": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			targetWithOtherEvents(t, own)
		})
	}
}

func targetWithOtherEvents(t *testing.T, own int) {
	t.Helper()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	history(t, from, 5, 60)
	exportTo(t, from, file)
	c := connect(t, to)
	for i := range 9 {
		stream := fmt.Sprintf("order-%d", i)
		if _, err := c.AppendToStream(deadline(t), stream, esdb.AppendToStreamOptions{}, slices.Repeat([]esdb.EventData{{EventType: "Own"}}, own)...); err != nil {
			t.Fatal(err)
		}
	}
	i := transfer.Import{To: transfer.Database{ConnectionString: to}, File: file}
	_, err := i.Run(deadline(t))
	if conflict := (*transfer.ConflictError)(nil); !errors.As(err, &conflict) {
		t.Errorf("the error is %v", err)
	}
}

func TestScavengedStreamsAreRenumberedWhenAsked(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	c := connect(t, from)
	ctx := deadline(t)
	var ids []uuid.UUID
	for range 10 {
		e := esdb.EventData{EventID: uuid.New(), EventType: "Happened"}
		ids = append(ids, e.EventID)
		for _, stream := range []string{"short", "long"} {
			if _, err := c.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := esdb.StreamMetadata{}
	m.SetMaxCount(3)
	if _, err := c.SetStreamMetadata(ctx, "short", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, m); err != nil {
		t.Fatal(err)
	}
	o, err := grpcapi.NewOperator(from)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, err := o.Scavenge(ctx, nil); err != nil {
		t.Fatal(err)
	}
	exportTo(t, from, file)
	i := transfer.Import{To: transfer.Database{ConnectionString: to}, File: file}
	_, err = i.Run(ctx)
	if gap := (*transfer.RenumberError)(nil); !errors.As(err, &gap) || gap.Streams != 1 || events(t, to) != 0 {
		t.Fatalf("the error is %v, and the target has %d events", err, events(t, to))
	}
	i.Renumber = true
	for range 2 {
		if _, err := i.Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	got := content(t, connect(t, to), "short")
	if len(got) != 3 || !strings.HasPrefix(got[0], "0 "+ids[7].String()) || !strings.HasPrefix(got[2], "2 "+ids[9].String()) {
		t.Errorf("the stream is %q", got)
	}
	if got := content(t, connect(t, to), "long"); len(got) != 10 {
		t.Errorf("the other stream has %d events", len(got))
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	history(t, from, 6, 100)
	exportTo(t, from, file)
	i := transfer.Import{To: transfer.Database{ConnectionString: to}, File: file, Prefix: "order-3"}
	if _, err := i.Run(deadline(t)); err != nil {
		t.Fatal(err)
	}
	want, got := contents(t, from), contents(t, to)
	if diff := cmp.Diff(want["order-3"], got["order-3"]); diff != "" {
		t.Errorf("the stream differs (-source +target):\n%s", diff)
	}
	if !strings.HasPrefix(got["order-4"][0], "error") {
		t.Error("another stream was imported, too")
	}
}

func TestDamagedFileIsNotImported(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	history(t, from, 8, 40)
	exportTo(t, from, file)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	attempt := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		i := transfer.Import{To: transfer.Database{ConnectionString: to}, File: file}
		if _, err := i.Run(deadline(t)); !errors.Is(err, transfer.ErrDamaged) && !errors.Is(err, transfer.ErrIncomplete) {
			t.Errorf("with %s the import answers %v", what, err)
		}
	}
	for at := 0; at < len(whole); at += 37 {
		broken := bytes.Clone(whole)
		broken[at] ^= 0x10
		attempt(fmt.Sprintf("byte %d changed", at), broken)
		attempt(fmt.Sprintf("%d bytes", at), whole[:at])
	}
	attempt("more behind it", append(bytes.Clone(whole), whole[:100]...))
	if n := events(t, to); n != 0 {
		t.Errorf("%d events were imported", n)
	}
}
