package transfer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/eventstore/transfer"
)

// strangeNames are what a stream may be called, but for system streams.
func strangeNames() []string {
	return []string{
		"a/b/../c", "..", "ordеr-1", "order-1", "ｏrder-1", "é", "e\u0301", "\u202eabc", "\ufeffbom", "-", "--", "-x", "x-", "x--y",
		" ", " x", "x ", "::", "a::b", "a::b-checkpoint", "\u2028", "\u2029x", "a@b", "0@a", "%2F", "😀", "\ufffd", "a\u200bb", "\U0010ffff", "\ue000",
		`"`, `\`, `\u0041`, "{}", "a$$b", "a$", "waybill-restored", "event", strings.Repeat("n", 1<<18), strings.Repeat("é", 1<<15),
	}
}

// TestStrangeNamesMove: with their metadata, their deletions and their types, and
// scavenged ones, too.
func TestStrangeNamesMove(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	c, ctx := connect(t, from), deadline(t)
	for i, stream := range strangeNames() {
		e := esdb.EventData{EventID: uuid.New(), EventType: fmt.Sprintf("a \n\x00 \u2028\"type\" %.3q é\t", stream), Data: fmt.Appendf(nil, "%.100q", stream), Metadata: []byte(`{"$correlationId":"` + "\u2028" + `"}`)}
		for range 3 {
			e.EventID = uuid.New()
			if _, err := c.AppendToStream(ctx, stream, anyRevision, e); err != nil {
				t.Fatal(err)
			}
		}
		switch i % 4 {
		case 0:
			writeMetadata(t, c, stream, "$metadata", `{"$maxCount":2,"text":"`+"\u2028<"+`"}`)
		case 1:
			if _, err := c.DeleteStream(ctx, stream, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
				t.Fatal(err)
			}
		case 2:
			if _, err := c.TombstoneStream(ctx, stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	compare := func(what string, kept func(string) string) {
		t.Helper()
		target := connect(t, to)
		for _, stream := range strangeNames() {
			for _, name := range []string{stream, "$$" + stream} {
				before, after := content(t, c, name), content(t, target, name)
				for i := range before {
					before[i] = kept(before[i])
				}
				for i := range after {
					after[i] = kept(after[i])
				}
				if strings.Join(before, "\n") != strings.Join(after, "\n") {
					t.Errorf("%s: %.60q has %.300q, and had %.300q", what, name, after, before)
				}
			}
		}
	}
	move := func() {
		t.Helper()
		exportTo(t, from, file)
		i := transfer.Import{To: transfer.Database{ConnectionString: to}, File: file, Renumber: true}
		for range 2 {
			if _, err := i.Run(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	move()
	compare("whole", func(e string) string { return e })
	scavenge(t, from)
	to, file = serve(t).ConnectionString(), fileIn(t)
	move()
	compare("scavenged", func(e string) string {
		_, rest, _ := strings.Cut(e, " ")
		return rest
	})
}

// TestSystemStreamsStayBehind: they belong to their server, and so does what is
// said of them. Names that only look so move.
func TestSystemStreamsStayBehind(t *testing.T) {
	t.Parallel()
	from, to, file := serve(t).ConnectionString(), serve(t).ConnectionString(), fileIn(t)
	source, target := connect(t, from), connect(t, to)
	behind := []string{
		"$settings", "$users", "$user-anna", "$projections-$all", "$ce-order", "$et-OrderPlaced", "$all", "$persistentSubscriptionConfig",
		"$persistentsubscription-order::g-checkpoint", "$", "$>",
		"$$$", "$$$settings", "$$$all", "$$$$order", "$$$ce-order",
	}
	along := []string{"order@1", "0@order", "::", "ce-$order", "all$"}
	for _, stream := range append(behind, along...) {
		appendSome(t, source, stream, 2)
	}
	appendSome(t, source, "$persistentsubscription-$all::g-parked", 2) // the log does not show it
	writeMetadata(t, source, "order", "$metadata", `{"$maxCount":1}`)
	exported := exportTo(t, from, file)
	if want := uint64(2*len(behind) + 2*len(along) + 1); exported.Events != want {
		t.Errorf("%d events are exported, want %d", exported.Events, want)
	}
	for range 2 {
		imported := importInto(t, to, file)
		if imported.Left["system"] != uint64(2*len(behind)) || imported.Metadata != 1 || imported.Events != uint64(2*len(along)) {
			t.Errorf("the import answers %+v", imported)
		}
	}
	for _, stream := range along {
		if want, got := shown(t, source, stream), shown(t, target, stream); got != want || len(strings.Fields(got)) != 2 {
			t.Errorf("%s shows %q, want %q", stream, got, want)
		}
	}
	if got := events(t, to); got != 2*len(along)+1 {
		t.Errorf("the target has %d events", got)
	}
}
