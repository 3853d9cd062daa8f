package transfer_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/waybill-dev/waybill/eventstore/transfer"
)

// exportAfter continues the files, and returns all of them.
func exportAfter(t *testing.T, connection string, files ...string) []string {
	t.Helper()
	e := transfer.Export{From: transfer.Database{ConnectionString: connection}, File: fileIn(t), Now: noon}
	if len(files) > 0 {
		e.After = files[len(files)-1]
	}
	if _, err := e.Run(deadline(t)); err != nil {
		t.Fatal(err)
	}
	return append(files, e.File)
}

// renumberings is what happens to streams between three exports: events, or
// metadata.
var renumberings = map[string][3][]string{
	"events come":                  {{"10", `{"$tb":6}`, "scavenge"}, {"3"}, {"2"}},
	"it is said later":             {{"10", `{"$tb":6}`, "scavenge"}, {`{"$tb":8}`}, {`{"$tb":9}`}},
	"events come and it is said":   {{"10", `{"$tb":6}`, "scavenge"}, {"3", `{"$tb":11}`}, {"1", `{"$tb":12}`}},
	"it is said of what will come": {{"10", `{"$tb":6}`, "scavenge", `{"$tb":12}`}, {"3"}, {"1"}},
	"scavenged between":            {{"10"}, {"3", `{"$tb":12}`, "scavenge"}, {"2", `{"$tb":14}`}},
	"scavenged twice":              {{"10", `{"$maxCount":3}`, "scavenge"}, {"9", "scavenge"}, {"9", "scavenge", `{"$tb":27}`}},
	"deleted and written again":    {{"10", `{"$maxCount":2}`, "scavenge"}, {"delete", "3"}, {"delete"}},
	"deleted, then described":      {{"10", `{"$maxCount":2}`, "scavenge"}, {"delete", `{"colour":"red"}`}, {"2"}},
	"rests for a while":            {{"10", `{"$tb":6}`, "scavenge"}, {}, {"2", `{"$tb":11}`}},
	"is new":                       {{}, {"10", `{"$tb":6}`, "scavenge"}, {`{"$tb":8}`}},
	"is whole":                     {{"10"}, {`{"$tb":8}`}, {"1", `{"$tb":9}`}},
}

func happen(t *testing.T, connection, stream string, steps []string) {
	t.Helper()
	c := connect(t, connection)
	for _, step := range steps {
		n := 0
		switch {
		case step == "scavenge":
			scavenge(t, connection)
		case step == "delete":
			if _, err := c.DeleteStream(deadline(t), stream, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
				t.Fatal(err)
			}
		case strings.HasPrefix(step, "{"):
			writeMetadata(t, c, stream, "$metadata", step)
		default:
			if _, err := fmt.Sscan(step, &n); err != nil {
				t.Fatal(err)
			}
			appendSome(t, c, stream, n)
		}
	}
}

// TestContinuationsOfRenumberedStreamsShowWhatTheyShowed: the revisions of the
// source mean others in the target, also in the files that come later.
func TestContinuationsOfRenumberedStreamsShowWhatTheyShowed(t *testing.T) {
	t.Parallel()
	for name, steps := range renumberings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := serve(t).ConnectionString(), serve(t).ConnectionString()
			source, target := connect(t, from), connect(t, to)
			var files []string
			for part := range steps {
				happen(t, from, "moves", steps[part])
				happen(t, from, fmt.Sprint("beside", part), []string{"1"})
				files = exportAfter(t, from, files...)
				last := len(files) - 1
				i := transfer.Import{To: transfer.Database{ConnectionString: to}, After: files[:last], File: files[last], Renumber: true}
				for range 2 {
					if _, err := i.Run(deadline(t)); err != nil {
						t.Fatalf("file %d: %v", part, err)
					}
					if want, got := shown(t, source, "moves"), shown(t, target, "moves"); got != want {
						t.Errorf("after file %d the stream shows %q, before it was %q", part, got, want)
					}
				}
			}
			happen(t, from, "moves", []string{"1"})
			happen(t, to, "moves", []string{"1"})
			if want, got := len(strings.Fields(shown(t, source, "moves"))), len(strings.Fields(shown(t, target, "moves"))); got != want {
				t.Errorf("with another event the stream shows %d, want %d", got, want)
			}
		})
	}
}

// TestAContinuationWithoutTheFilesBeforeIsRefused where it names revisions that
// are in those: nothing of it is imported.
func TestAContinuationWithoutTheFilesBeforeIsRefused(t *testing.T) {
	t.Parallel()
	from, to := serve(t).ConnectionString(), serve(t).ConnectionString()
	happen(t, from, "moves", []string{"10", `{"$tb":6}`, "scavenge"})
	files := exportAfter(t, from)
	first := transfer.Import{To: transfer.Database{ConnectionString: to}, File: files[0], Renumber: true}
	if _, err := first.Run(deadline(t)); err != nil {
		t.Fatal(err)
	}
	happen(t, from, "moves", []string{`{"$tb":8}`})
	files = exportAfter(t, from, files...)
	happen(t, from, "moves", []string{"1"})
	files = exportAfter(t, from, files...)
	before := events(t, to)
	for name, i := range map[string]transfer.Import{
		"metadata":               {File: files[1]},
		"metadata, renumbered":   {File: files[1], Renumber: true},
		"events":                 {File: files[2]},
		"events, renumbered":     {File: files[2], Renumber: true},
		"not all files":          {File: files[2], Renumber: true, After: files[1:2]},
		"files in another order": {File: files[2], Renumber: true, After: []string{files[1], files[0]}},
		"a file is left out":     {File: files[2], Renumber: true, After: files[:1]},
		"not renumbered":         {File: files[1], After: files[:1]},
	} {
		i.To.ConnectionString = to
		_, err := i.Run(deadline(t))
		if err == nil {
			t.Errorf("%s: it is imported", name)
		}
		if earlier := (*transfer.EarlierError)(nil); len(i.After) == 0 && !errors.As(err, &earlier) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	if after := events(t, to); after != before {
		t.Errorf("the target has %d events, it had %d", after, before)
	}
}
