package node_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/node"
)

// TestNobodyReadsWhatIsNotSynced holds each kind of change on its way to the
// disk. Until it is there everybody sees the store as it was, and at once: what
// is not on the disk may never have been.
func TestNobodyReadsWhatIsNotSynced(t *testing.T) {
	t.Parallel()
	meta := func(text string) []node.Event {
		return []node.Event{{ID: event(text, 0).ID, Type: node.TypeMetadata, JSON: true, Data: []byte(text)}}
	}
	events := appendTo("", anything, "x", "y").Events
	for name, change := range map[string]action{
		"events":                              {kind: "append", stream: "plain", events: events},
		"events that push others out":         {kind: "append", stream: "counted", events: events},
		"the first events of a stream":        {kind: "append", stream: "new", events: events},
		"the first events of one with limits": {kind: "append", stream: "unborn", events: events},
		"events of a deleted stream":          {kind: "append", stream: "deleted", events: events},
		"a link":                              {kind: "append", stream: "links", events: []node.Event{{ID: event("l", 0).ID, Type: node.TypeLink, Data: []byte("1@plain")}}},
		"a limit of count":                    {kind: "append", stream: "$$plain", events: meta(`{"$maxCount":1}`)},
		"a limit of age":                      {kind: "append", stream: "$$plain", events: meta(`{"$maxAge":1}`)},
		"a beginning":                         {kind: "append", stream: "$$plain", events: meta(`{"$tb":1}`)},
		"no limit any more":                   {kind: "append", stream: "$$counted", events: meta(`{}`)},
		"metadata of a deleted stream":        {kind: "append", stream: "$$deleted", events: meta(`{}`)},
		"a delete":                            {kind: "delete", stream: "plain"},
		"a delete of one with limits":         {kind: "delete", stream: "counted"},
		"a tombstone":                         {kind: "tombstone", stream: "plain"},
		"a tombstone of a deleted stream":     {kind: "tombstone", stream: "deleted"},
		"a tombstone of a new stream":         {kind: "tombstone", stream: "new"},
		"a tombstone of metadata":             {kind: "tombstone", stream: "$$counted"},
		"nothing":                             {kind: "append", stream: "plain"},
	} {
		change.expected = anything
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hold(t, change)
		})
	}
}

// aStore has a stream of every kind.
func aStore(t *testing.T, n *node.Node) {
	t.Helper()
	link := node.Event{ID: event("to plain", 0).ID, Type: node.TypeLink, Data: []byte("0@plain")}
	for _, a := range []action{
		{kind: "append", stream: "plain", events: appendTo("", anything, "a", "b", "c").Events},
		{kind: "append", stream: "counted", events: appendTo("", anything, "a", "b", "c").Events},
		{kind: "append", stream: "$$counted", events: []node.Event{{ID: event("1", 0).ID, Type: node.TypeMetadata, JSON: true, Data: []byte(`{"$maxCount":2}`)}}},
		{kind: "append", stream: "$$unborn", events: []node.Event{{ID: event("2", 0).ID, Type: node.TypeMetadata, JSON: true, Data: []byte(`{"$maxCount":1}`)}}},
		{kind: "append", stream: "deleted", events: appendTo("", anything, "a").Events},
		{kind: "delete", stream: "deleted"},
		{kind: "append", stream: "links", events: []node.Event{link}},
	} {
		a.expected = anything
		begun, err := a.begin(deadline(t), n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := begun.Wait(deadline(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func hold(t *testing.T, change action) {
	t.Helper()
	var g gate
	cfg := config(g.fs())
	var later atomic.Int64
	cfg.Now = func() time.Time { return noon.Add(time.Duration(later.Load())) }
	n := opened(t, cfg)
	aStore(t, n)
	later.Store(int64(10 * time.Second)) // longer than $maxAge allows
	before := everything(n)
	waiting, stop := context.WithCancel(deadline(t))
	defer stop()
	woken := make(chan error, 1)
	end := n.End()
	go func() { woken <- n.Wait(waiting, end) }()

	open := g.close()
	defer open()
	begun, err := change.begin(deadline(t), n)
	if err != nil {
		t.Fatal(err)
	}
	g.waitUntilHeld(t)
	seen := make(chan string, 1)
	go func() { seen <- everything(n) }()
	select {
	case during := <-seen:
		if diff := cmp.Diff(before, during); diff != "" {
			t.Errorf("before the sync readers see something else (-before +during):\n%s", diff)
		}
	case <-time.After(patience):
		t.Fatal("readers wait for the disk")
	}
	select {
	case err := <-woken:
		t.Errorf("who waits for the log is woken before the sync: %v", err)
	default:
	}
	if begun.Answered() {
		t.Error("the answer comes before the sync")
	}
	open()
	if _, err := begun.Wait(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-woken; err != nil {
		t.Errorf("who waits for the log is not woken: %v", err)
	}
	if everything(n) == before {
		t.Error("after the sync nothing has changed")
	}
}

// everything is all that can be read of a store made by aStore.
func everything(n *node.Node) string {
	var text strings.Builder
	add := func(what string, p node.Page, err error) {
		fmt.Fprintf(&text, "%s:", what)
		if err != nil {
			fmt.Fprintf(&text, " %v", err)
		}
		for _, r := range p.Records {
			fmt.Fprintf(&text, " %s@%d=%d", r.Stream, r.Revision, r.Position)
			if target, err := n.Resolve(r); target != nil || err != nil {
				fmt.Fprintf(&text, "->%v,%v", target, err)
			}
		}
		fmt.Fprintln(&text)
	}
	fmt.Fprintln(&text, "end", n.End())
	for _, backwards := range []bool{false, true} {
		from := uint64(0)
		if backwards {
			from = node.FromEnd
		}
		p, err := n.ReadAll(node.AllRead{From: from, Backwards: backwards, Limit: 100})
		add("log", p, err)
		p, err = n.ReadAll(node.AllRead{From: from, Backwards: backwards, Limit: 100, Filter: &node.Filter{Prefixes: []string{"p"}}})
		add("log, filtered", p, err)
		for _, of := range []string{"plain", "counted", "new", "unborn", "deleted", "links"} {
			for _, stream := range []string{of, "$$" + of} {
				p, err := n.ReadStream(node.StreamRead{Stream: stream, From: from, Backwards: backwards, Limit: 100})
				add(stream, p, err)
				info, err := n.Info(stream)
				fmt.Fprintf(&text, "%s: %+v, last %d, %v\n", stream, info, p.StreamLast, err)
			}
		}
	}
	return text.String()
}
