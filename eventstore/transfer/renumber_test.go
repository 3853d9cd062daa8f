package transfer_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/eventstore/transfer"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

var anyRevision = esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}

func appendSome(t *testing.T, c *esdb.Client, stream string, n int) {
	t.Helper()
	for range n {
		if _, err := c.AppendToStream(deadline(t), stream, anyRevision, esdb.EventData{EventID: uuid.New(), EventType: "Happened"}); err != nil {
			t.Fatal(err)
		}
	}
}

// writeMetadata writes it as an event of a type, which says nothing.
func writeMetadata(t *testing.T, c *esdb.Client, stream, typ, data string) {
	t.Helper()
	e := esdb.EventData{EventID: uuid.New(), EventType: typ, ContentType: esdb.ContentTypeJson, Data: []byte(data)}
	if _, err := c.AppendToStream(deadline(t), "$$"+stream, anyRevision, e); err != nil {
		t.Fatal(err)
	}
}

func scavenge(t *testing.T, connection string) {
	t.Helper()
	o, err := grpcapi.NewOperator(connection)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, err := o.Scavenge(deadline(t), nil); err != nil {
		t.Fatal(err)
	}
}

// shown are the ids of what can be read of a stream, without the revisions.
func shown(t *testing.T, c *esdb.Client, stream string) string {
	t.Helper()
	var ids []string
	for _, e := range content(t, c, stream) {
		_, rest, _ := strings.Cut(e, " ")
		id, _, _ := strings.Cut(rest, " ")
		ids = append(ids, id)
	}
	return strings.Join(ids, " ")
}

// TestRenumberedStreamsShowWhatTheyShowed: where metadata lets a stream begin is
// a revision, too.
func TestRenumberedStreamsShowWhatTheyShowed(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	c, ctx := connect(t, from), deadline(t)
	for stream, metadata := range map[string]string{
		"all":   `{"$tb":6,"colour":"red"}`,
		"none":  `{"$tb":10}`,
		"count": `{"$maxCount":3,"$tb":4}`,
		"more":  `{"$tb":3}`,
		"again": `{"$maxCount":1}`,
		"gone":  `{"$maxCount":1}`,
	} {
		appendSome(t, c, stream, 10)
		writeMetadata(t, c, stream, "$metadata", metadata)
	}
	for _, stream := range []string{"again", "gone"} {
		if _, err := c.DeleteStream(ctx, stream, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
			t.Fatal(err)
		}
	}
	appendSome(t, c, "again", 2)
	scavenge(t, from)
	writeMetadata(t, c, "more", "$metadata", `{"$tb":7}`)
	exportTo(t, from, file)
	i := transfer.Import{To: transfer.Database{ConnectionString: to}, File: file, Renumber: true}
	for range 2 {
		if _, err := i.Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	target := connect(t, to)
	for stream, events := range map[string]int{"all": 4, "none": 0, "count": 3, "more": 3, "again": 2, "gone": 1} {
		want := shown(t, c, stream)
		if n := len(strings.Fields(want)); n != events {
			t.Errorf("%s shows %d events at first, want %d", stream, n, events)
		}
		if got := shown(t, target, stream); got != want {
			t.Errorf("%s shows %q, before it was %q", stream, got, want)
		}
	}
	if got, err := target.GetStreamMetadata(ctx, "all", esdb.ReadStreamOptions{}); err != nil || got.TruncateBefore() == nil || *got.TruncateBefore() != 0 || fmt.Sprint(got.CustomProperties()) != "map[colour:red]" {
		t.Errorf("the metadata is %+v, %v", got, err)
	}
	appendSome(t, target, "none", 1)
	if got := len(content(t, target, "none")); got != 1 {
		t.Errorf("of a new event of a stream that shows nothing %d are shown", got)
	}
}

// TestMetadataOfAnyTypeMoves: the store looks at the name of its stream only.
func TestMetadataOfAnyTypeMoves(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	c, ctx := connect(t, from), deadline(t)
	for _, stream := range []string{"limited", "free"} {
		appendSome(t, c, stream, 5)
		writeMetadata(t, c, stream, "Limits", `{"$maxCount":2}`)
	}
	if _, err := c.TombstoneStream(ctx, "$$free", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
		t.Fatal(err)
	}
	exportTo(t, from, file)
	if _, err := (&transfer.Import{To: transfer.Database{ConnectionString: to}, File: file}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	target := connect(t, to)
	for stream, events := range map[string]int{"limited": 2, "free": 5} {
		if before, after := shown(t, c, stream), shown(t, target, stream); before != after || len(strings.Fields(after)) != events {
			t.Errorf("%s shows %q, before it was %q", stream, after, before)
		}
	}
	s, err := target.ReadStream(ctx, "$$limited", esdb.ReadStreamOptions{}, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if e, err := s.Recv(); err != nil || e.Event.EventType != "Limits" {
		t.Errorf("the metadata is %+v, %v", e, err)
	}
}

// TestAnImportIsRepeatedIntoAStoreThatWasScavenged: what the target has removed
// because of the file's own metadata is no other event, and does not come back.
func TestAnImportIsRepeatedIntoAStoreThatWasScavenged(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	c, ctx := connect(t, from), deadline(t)
	for stream, metadata := range map[string]string{"free": `{}`, "limited": `{"$maxCount":3}`, "empty": `{"$tb":9}`, "gone": ""} {
		appendSome(t, c, stream, 9)
		if metadata != "" {
			writeMetadata(t, c, stream, "$metadata", metadata)
		}
	}
	if _, err := c.DeleteStream(ctx, "gone", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
		t.Fatal(err)
	}
	exportTo(t, from, file)
	i := transfer.Import{To: transfer.Database{ConnectionString: to}, File: file}
	if _, err := i.Run(ctx); err != nil {
		t.Fatal(err)
	}
	scavenge(t, to)
	before := events(t, to)
	if _, err := i.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if after := events(t, to); after != before {
		t.Errorf("there are %d events, and were %d", after, before)
	}
	target := connect(t, to)
	for stream := range map[string]bool{"free": true, "limited": true, "empty": true, "gone": true} {
		if want, got := shown(t, c, stream), shown(t, target, stream); got != want {
			t.Errorf("%s shows %q, want %q", stream, got, want)
		}
	}
	// What is another event still is.
	appendSome(t, target, "limited", 1)
	other := serve(t).ConnectionString()
	appendSome(t, connect(t, other), "limited", 9)
	i.To.ConnectionString = other
	if _, err := i.Run(ctx); err == nil {
		t.Error("a stream with other events is taken for that of the file")
	}
}
