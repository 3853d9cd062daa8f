package node_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
)

// A rule is a row of the table of expected revisions: what was done to the
// stream s before, and what is answered then.
type rule struct {
	before   string // letters append, upper case ones at the current revision; D deletes, T tombstones, M describes, X tombstones the metadata
	expected node.Expected
	ids      string // a letter each; . deletes, ! tombstones
	want     string // ok, same (as an earlier append), wrong or deleted, with the stream's last revision
}

const (
	noStream = node.ExpectNoStream
	anything = node.ExpectAny
	exists   = node.ExpectExists
)

// rules are in the order in which the rules are looked at.
var rules = map[string][]rule{
	"01 of a stream with a tombstone nothing is known": {
		{"abT", anything, "c", "deleted"},
		{"abT", anything, "a", "deleted"},
		{"abT", exists, "c", "deleted"},
		{"abT", noStream, "ab", "deleted"},
		{"abT", 0, "b", "deleted"},
		{"abT", 1, "c", "deleted"},
		{"abT", 7, "c", "deleted"},
		{"abT", anything, "", "deleted"},
		{"abT", anything, ".", "deleted"},
		{"abT", anything, "!", "deleted"},
		{"T", noStream, "a", "deleted"},
		{"abDT", anything, "a", "deleted"},
	},
	"02 a deleted stream does not exist": {
		{"abD", exists, "c", "deleted"},
		{"abD", exists, "a", "deleted"},
		{"abD", exists, "", "deleted"},
		{"abD", exists, ".", "deleted"},
		{"abD", exists, "!", "deleted"},
		{"MD", exists, "a", "deleted"},
	},
	"03 metadata alone makes a stream exist": {
		{"", exists, "a", "wrong -1"},
		{"", exists, "", "wrong -1"},
		{"", exists, ".", "wrong -1"},
		{"", exists, "!", "wrong -1"},
		{"M", exists, "a", "ok 0"},
		{"M", exists, "", "ok -1"},
		{"M", exists, ".", "ok -1"},
		{"X", exists, "a", "ok 0"},
	},
	"04 an append of nothing is taken": {
		{"", anything, "", "ok -1"},
		{"ab", anything, "", "ok 1"},
		{"ab", exists, "", "ok 1"},
		{"abD", anything, "", "ok 1"},
	},
	"05 only the first id is looked at": {
		{"ab", anything, "c", "ok 2"},
		{"ab", anything, "cb", "ok 3"},
		{"ab", exists, "ca", "ok 3"},
		{"ab", anything, "cc", "ok 3"},
		{"abD", anything, "ca", "ok 3"},
	},
	"06 what begins with a known id must be known": {
		{"ab", anything, "ac", "wrong 1"},
		{"ab", exists, "abc", "wrong 1"},
		{"abD", anything, "ac", "wrong 1"},
	},
	"07 what is known is answered as it was": {
		{"abc", anything, "abc", "same 2"},
		{"abc", anything, "ab", "same 1"},
		{"abc", exists, "b", "same 1"},
		{"abc", anything, "ba", "same 0"},
		{"abc", anything, "aa", "same 0"},
		{"abA", anything, "a", "same 2"},
		{"abD", anything, "ab", "same 1"},
	},
	"08 what stands behind the expected revision is known": {
		{"abc", noStream, "abc", "same 2"},
		{"abc", noStream, "ab", "same 1"},
		{"abc", 0, "b", "same 1"},
		{"abc", 0, "bc", "same 2"},
		{"abcD", noStream, "ab", "same 1"},
		{"abcD", 1, "c", "same 2"},
		{"abA", 1, "a", "same 2"},
	},
	"09 another first id is wrong, unless the stream was deleted and none is expected": {
		{"abc", noStream, "x", "wrong 2"},
		{"abc", 0, "a", "wrong 2"},
		{"abc", 0, "c", "wrong 2"},
		{"abcD", noStream, "x", "ok 3"},
		{"abcD", noStream, "xa", "ok 4"},
		{"abcD", noStream, "bc", "ok 4"},
		{"abcD", 0, "x", "wrong 2"},
		{"abcD", noStream, ".", "ok 2"},
		{"abcD", noStream, "!", "ok 2"},
		{"abcD", 0, ".", "wrong 2"},
	},
	"10 another later id is wrong, and so is one too many": {
		{"abc", noStream, "ax", "wrong 2"},
		{"abc", 0, "bcd", "wrong 2"},
		{"abc", noStream, "abb", "wrong 2"},
		{"abcD", noStream, "ax", "wrong 2"},
		{"abcD", noStream, "abcd", "wrong 2"},
	},
	"11 nothing, at an earlier revision, is wrong": {
		{"abc", 0, "", "wrong 2"},
		{"abc", noStream, "", "wrong 2"},
		{"abcD", noStream, "", "wrong 2"},
		{"abc", 0, ".", "wrong 2"},
		{"abc", 0, "!", "wrong 2"},
	},
	"12 a later revision is wrong": {
		{"ab", 2, "c", "wrong 1"},
		{"ab", 2, "", "wrong 1"},
		{"", 0, "a", "wrong -1"},
		{"M", 0, "a", "wrong -1"},
		{"abD", 2, "c", "wrong 1"},
		{"ab", 2, ".", "wrong 1"},
		{"ab", 2, "!", "wrong 1"},
	},
	"13 at the current revision no id is looked at": {
		{"", noStream, "a", "ok 0"},
		{"", noStream, "", "ok -1"},
		{"ab", 1, "c", "ok 2"},
		{"ab", 1, "b", "ok 2"},
		{"ab", 1, "ab", "ok 3"},
		{"ab", 1, "cc", "ok 3"},
		{"ab", 1, "", "ok 1"},
		{"abD", 1, "c", "ok 2"},
		{"abD", 1, "b", "ok 2"},
		{"abD", 1, "", "ok 1"},
		{"ab", 1, ".", "ok 1"},
		{"ab", 1, "!", "ok 1"},
	},
	"deletes of what is not there": {
		{"", anything, ".", "wrong -1"},
		{"", noStream, ".", "wrong -1"},
		{"M", anything, ".", "ok -1"},
		{"M", noStream, ".", "ok -1"},
		{"abD", anything, ".", "ok 1"},
		{"", anything, "!", "ok -1"},
		{"", noStream, "!", "ok -1"},
		{"abX", anything, ".", "deleted $$s"},
		{"abX", anything, "!", "ok 1"},
	},
}

// actions are what a rule does, the last one being the one that is asked about.
func (r rule) actions() []action {
	var list []action
	add := func(kind, stream string, expected node.Expected, events ...node.Event) {
		list = append(list, action{kind: kind, stream: stream, expected: expected, events: events})
	}
	last := noStream
	for _, letter := range r.before {
		switch letter {
		case 'D':
			add("delete", "s", anything)
		case 'T':
			add("tombstone", "s", anything)
		case 'M':
			add("append", "$$s", anything, node.Event{ID: event("M", 0).ID, Type: "$metadata", JSON: true, Data: []byte("{}")})
		case 'X':
			add("tombstone", "$$s", anything)
		default:
			expected, name := anything, letter
			if letter < 'a' {
				expected, name = last, letter+'a'-'A'
			}
			last++
			add("append", "s", expected, event(string(name), 10))
		}
	}
	var events []node.Event
	for _, letter := range r.ids {
		events = append(events, event(string(letter), 10))
	}
	switch r.ids {
	case ".":
		add("delete", "s", r.expected)
	case "!":
		add("tombstone", "s", r.expected)
	default:
		add("append", "s", r.expected, events...)
	}
	return list
}

// TestRules asks each question in every state the store may be in: with all that
// went before on the disk, with the store opened after it, and with all of it in
// one group.
func TestRules(t *testing.T) {
	t.Parallel()
	ways := map[string]func(*testing.T, []action) (before, after uint64, done node.Appended, err error){
		"one by one": oneByOne, "after a restart": afterARestart, "in one group": inOneGroup,
	}
	for name, rows := range rules {
		for _, row := range rows {
			for way, ask := range ways {
				t.Run(fmt.Sprintf("%s/%s then %s at %s/%s", name, row.before, row.ids, row.expected, way), func(t *testing.T) {
					t.Parallel()
					before, after, done, err := ask(t, row.actions())
					if got := row.outcome(before, after, done, err); got != row.want {
						t.Errorf("the answer is %s, want %s", got, row.want)
					}
				})
			}
		}
	}
}

// outcome is an answer as the rows say it.
func (r rule) outcome(before, after uint64, done node.Appended, err error) string {
	wrong, gone := (*node.WrongExpectedError)(nil), (*node.StreamDeletedError)(nil)
	switch {
	case errors.As(err, &wrong) && wrong.Expected == r.expected && wrong.Stream == "s":
		return fmt.Sprintf("wrong %d", wrong.Current)
	case errors.As(err, &gone) && gone.Stream == "s":
		return "deleted"
	case errors.As(err, &gone):
		return "deleted " + gone.Stream
	case err != nil:
		return err.Error()
	case before == after:
		return fmt.Sprintf("same %d", done.Revision)
	}
	return fmt.Sprintf("ok %d", done.Revision)
}

func oneByOne(t *testing.T, list []action) (before, after uint64, done node.Appended, err error) {
	t.Helper()
	return alone(t, list, false)
}

func afterARestart(t *testing.T, list []action) (before, after uint64, done node.Appended, err error) {
	t.Helper()
	return alone(t, list, true)
}

func alone(t *testing.T, list []action, restart bool) (before, after uint64, done node.Appended, err error) {
	t.Helper()
	cfg := config(vfs.NewMem())
	cfg.Streams = 1
	n := open(t, cfg)
	defer func() { closeNode(t, n) }()
	for i, a := range list {
		if i == len(list)-1 && restart {
			closeNode(t, n)
			n = open(t, cfg)
		}
		before = n.End()
		begun, err := a.begin(deadline(t), n)
		if err != nil {
			t.Fatal(err)
		}
		if done, err = begun.Wait(deadline(t)); err != nil || i == len(list)-1 {
			return before, n.End(), done, err
		}
	}
	return 0, 0, done, errors.New("nothing was asked")
}

// inOneGroup holds an append in its sync, so that all the others come behind it
// in the next group. The last one is repeated alone, to see whether it grew the
// log.
func inOneGroup(t *testing.T, list []action) (before, after uint64, done node.Appended, err error) {
	t.Helper()
	var g gate
	cfg := config(g.fs())
	cfg.Streams = 1
	n := opened(t, cfg)
	open := g.close()
	defer open()
	first := action{kind: "append", stream: "other", expected: anything, events: []node.Event{event("first", 10)}}
	var begun []node.Begun
	for i, a := range append([]action{first}, list...) {
		b, err := a.begin(deadline(t), n)
		if err != nil {
			t.Fatal(err)
		}
		begun = append(begun, b)
		if i == 0 {
			g.waitUntilHeld(t)
		}
	}
	open()
	size := func(i int) uint64 {
		one, err := begun[i].Wait(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		return one.Position
	}
	done, err = begun[len(begun)-1].Wait(deadline(t))
	if err == nil && done.Position > size(len(begun)-2) {
		return 0, 1, done, nil
	}
	return 0, 0, done, err
}

func TestIDsAreForgottenOnlyForAppendsWithoutARevision(t *testing.T) {
	t.Parallel()
	cfg := config(vfs.NewMem())
	cfg.WindowEvents = 3
	n := open(t, cfg)
	mustAppend(t, n, appendTo("s", noStream, "a", "b"))
	mustAppend(t, n, appendTo("other", noStream, "c", "d"))
	for range 2 { // as it is, and as it is after a restart
		if got := mustAppend(t, n, appendTo("s", anything, "b")); got.Revision != 1 {
			t.Errorf("a repeat of what is remembered ends at %d, want 1", got.Revision)
		}
		if got := mustAppend(t, n, appendTo("s", noStream, "a")); got.Revision != 0 {
			t.Errorf("a repeat at the revision of the first time ends at %d, want 0", got.Revision)
		}
		closeNode(t, n)
		n = open(t, cfg)
	}
	if got := mustAppend(t, n, appendTo("s", anything, "a")); got.Revision != 2 {
		t.Errorf("a repeat of what is forgotten ends at %d, want 2", got.Revision)
	}
	closeNode(t, n)
}

// TestAppendThatCannotBeWholeIsNotBegun: an append to a deleted stream needs the
// metadata that is to be written again.
func TestAppendThatCannotBeWholeIsNotBegun(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	n := open(t, config(fs))
	mustAppend(t, n, appendTo("s", anything, "a"))
	done, err := n.Delete(deadline(t), "s", anything)
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, n, appendTo("other", anything, "a"))
	closeNode(t, n)
	db, err := pebble.Open("data", &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatValueSeparation, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	b := db.NewBatch()
	if err := errors.Join(
		b.Delete(logKey(done.Position), nil),
		b.Set([]byte("Mscavenged-to"), logKey(done.Position + 1000)[1:], nil), // or the gap would be found first
		b.Commit(pebble.Sync), db.Close(),
	); err != nil {
		t.Fatal(err)
	}
	n = opened(t, config(fs))
	end := n.End()
	if _, err = n.Append(deadline(t), appendTo("s", anything, "b")); !errors.Is(err, node.ErrDamaged) {
		t.Errorf("the append answered %v, want that something is damaged", err)
	}
	if info, err := n.Info("s"); err != nil || info.Last != 0 || !info.Deleted || n.End() != end {
		t.Errorf("the stream is %+v, %v, and the log grew by %d", info, err, n.End()-end)
	}
}
