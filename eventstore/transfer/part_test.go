package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/eventstore/transfer"
)

// interleaved writes to streams whose events stand alone in the log, and to
// others whose events are neighbours.
func interleaved(t *testing.T, c *esdb.Client, from, to int) {
	t.Helper()
	run(t, c, fmt.Sprint("begin", from))
	for i := from; i < to; i++ {
		for _, stream := range []string{"order-a", "order-b", "alone"} {
			if stream == "alone" && i%7 != 0 {
				continue
			}
			e := esdb.EventData{EventID: uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, stream, i)), EventType: "Happened"}
			if _, err := c.AppendToStream(deadline(t), stream, esdb.AppendToStreamOptions{}, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	run(t, c, fmt.Sprint("end", from))
}

// run writes neighbours in the log that are neighbours in their stream.
func run(t *testing.T, c *esdb.Client, name string) {
	t.Helper()
	for i := range 20 {
		e := esdb.EventData{EventID: uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, name, i)), EventType: "Happened"}
		if _, err := c.AppendToStream(deadline(t), "run", esdb.AppendToStreamOptions{}, e); err != nil {
			t.Fatal(err)
		}
	}
}

var partStreams = []string{"order-a", "order-b", "alone", "run"}

func sameParts(t *testing.T, from, to string) {
	t.Helper()
	a, b := connect(t, from), connect(t, to)
	for _, stream := range partStreams {
		if want, got := content(t, a, stream), content(t, b, stream); strings.Join(want, "\n") != strings.Join(got, "\n") {
			t.Errorf("%s has %d events in the target, %d in the source, or other ones", stream, len(got), len(want))
		}
	}
}

// TestAnOlderFileWasImportedBefore: the newer one has in one piece what the
// target has the beginning of.
func TestAnOlderFileWasImportedBefore(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	c := connect(t, from)
	interleaved(t, c, 0, 20)
	exportTo(t, from, file)
	importInto(t, to, file)
	interleaved(t, c, 20, 45)
	exportTo(t, from, file+".2")
	importInto(t, to, file+".2")
	sameParts(t, from, to)
	importInto(t, to, file)
	sameParts(t, from, to)
}

// TestAPartOfTheFileWasImportedBefore: of one stream alone all events are
// neighbours.
func TestAPartOfTheFileWasImportedBefore(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	c := connect(t, from)
	interleaved(t, c, 0, 20)
	exportTo(t, from, file)
	steps := 0
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	i := transfer.Import{To: transfer.Database{ConnectionString: to}, File: file, Workers: 1, Progress: func(stage string, _, _ uint64) {
		if steps++; stage == transfer.StageImport && steps == 20 {
			cancel()
		}
	}}
	if _, err := i.Run(ctx); err == nil {
		t.Fatal("it was not interrupted")
	}
	for _, prefix := range []string{"order-a", ""} {
		i := transfer.Import{To: transfer.Database{ConnectionString: to}, File: file, Prefix: prefix}
		if _, err := i.Run(deadline(t)); err != nil {
			t.Fatalf("the streams %q*: %v", prefix, err)
		}
	}
	sameParts(t, from, to)
}

// TestTheBeginningIsAnothers: a target whose streams end within a chunk and
// hold something else is refused, and nothing is added to them.
func TestTheBeginningIsAnothers(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	interleaved(t, connect(t, from), 0, 5)
	exportTo(t, from, file)
	c := connect(t, to)
	source := connect(t, from)
	first := content(t, source, "run")[0]
	for i := range 10 {
		id := uuid.New()
		if i == 0 {
			id = uuid.MustParse(strings.Fields(first)[1]) // the first is the file's
		}
		if _, err := c.AppendToStream(deadline(t), "run", esdb.AppendToStreamOptions{}, esdb.EventData{EventID: id, EventType: "Own"}); err != nil {
			t.Fatal(err)
		}
	}
	i := transfer.Import{To: transfer.Database{ConnectionString: to}, File: file}
	_, err := i.Run(deadline(t))
	if conflict := (*transfer.ConflictError)(nil); !errors.As(err, &conflict) || conflict.Stream != "run" {
		t.Errorf("the error is %v", err)
	}
	if n := len(content(t, c, "run")); n != 10 {
		t.Errorf("the stream has %d events, it had 10", n)
	}
}
