package transfer_test

import (
	"fmt"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/eventstore/transfer"
)

// TestWhatIsCorrelatedKeepsItsOrder: over all streams, beside others that may
// change places.
func TestWhatIsCorrelatedKeepsItsOrder(t *testing.T) {
	t.Parallel()
	const chains, events = 3, 300
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	c := connect(t, from)
	chainOf := map[string]int{}
	for i := range events {
		e := esdb.EventData{EventID: uuid.New(), EventType: "Happened", Metadata: fmt.Appendf(nil, `{"$correlationId":"c%d"}`, i%chains)}
		chainOf[e.EventID.String()] = i % chains
		if _, err := c.AppendToStream(deadline(t), fmt.Sprintf("s-%d", i), anyRevision, e); err != nil {
			t.Fatal(err)
		}
	}
	exportTo(t, from, file)
	if _, err := (&transfer.Import{To: transfer.Database{ConnectionString: to}, File: file}).Run(deadline(t)); err != nil {
		t.Fatal(err)
	}
	var before, after [chains][]string
	for _, id := range carriedIDs(t, from) {
		before[chainOf[id]] = append(before[chainOf[id]], id)
	}
	for _, id := range carriedIDs(t, to) {
		after[chainOf[id]] = append(after[chainOf[id]], id)
	}
	if diff := cmp.Diff(before, after); diff != "" || len(after[0]) != events/chains {
		t.Errorf("the order differs (-source +target):\n%s", diff)
	}
}

// TestAnExportHasEachEventOnce: where its pages meet, and where it continues
// another one.
func TestAnExportHasEachEventOnce(t *testing.T) {
	t.Parallel()
	const batch, batches = 500, 10 // two pages and a half
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	c := connect(t, from)
	for range batches {
		list := make([]esdb.EventData, batch)
		for i := range list {
			list[i] = esdb.EventData{EventID: uuid.New(), EventType: "Happened"}
		}
		if _, err := c.AppendToStream(deadline(t), "run", anyRevision, list...); err != nil {
			t.Fatal(err)
		}
	}
	if done := exportTo(t, from, file); done.Events != batch*batches {
		t.Errorf("the file has %d events", done.Events)
	}
	appendSome(t, c, "run", 3)
	e := transfer.Export{From: transfer.Database{ConnectionString: from}, File: fileIn(t), After: file, Now: noon}
	if done, err := e.Run(deadline(t)); err != nil || done.Events != 3 {
		t.Errorf("the file after it has %+v, %v", done, err)
	}
	for _, file := range []string{file, e.File} {
		if _, err := (&transfer.Import{To: transfer.Database{ConnectionString: to}, File: file}).Run(deadline(t)); err != nil {
			t.Fatal(err)
		}
	}
	if n := events(t, to); n != batch*batches+3 {
		t.Errorf("the target has %d events", n)
	}
}
