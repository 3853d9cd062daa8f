package persistent

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waybill-dev/waybill/node"
)

// Anybody may write into the streams that hold the state: what is there is
// understood or refused.

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"version":"2","entries":[{"stream":"s","group":"g","startPosition":"-1","liveFrom":3,"historyBufferSize":5,"namedConsumerStrategy":"Pinned"}]}`))
	f.Add([]byte(`{"version":"2","entries":[{"stream":"$all","group":"g","startPosition":"C:1/P:1","filter":{"context":"streamid","type":"regex","data":"^a"},"historyBufferSize":5,"namedConsumerStrategy":"RoundRobin"}]}`))
	f.Add([]byte(`{"version":"2","entries":[{"stream":"$all","group":"g","startPosition":"C:0/P:0","filter":{"context":"eventtype","type":"prefix","data":"a,b","prefixes":["a,b"]},"historyBufferSize":5,"namedConsumerStrategy":"RoundRobin"}]}`))
	f.Add([]byte(`{"version":"2","entries":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decodeConfig(data)
		if err != nil {
			return
		}
		for i := range c.Entries {
			d, err := c.Entries[i].definition()
			if err != nil {
				continue
			}
			again := storeAndLoad(t, d, c.Entries[i].LiveFrom)
			if diff := cmp.Diff(d, again, cmp.Comparer(equalFilters), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the group is another when it is stored again (-first +second):\n%s", diff)
			}
		}
	})
}

func storeAndLoad(t *testing.T, d *Definition, liveFrom *uint64) *Definition {
	t.Helper()
	data, err := json.Marshal(storedConfig{Version: configVersion, Entries: []storedEntry{storeEntry(d, liveFrom)}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := decodeConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Entries[0].definition()
	if err != nil {
		t.Fatalf("%s is refused: %v", data, err)
	}
	return again
}

func equalFilters(a, b *node.Filter) bool {
	if a == nil || b == nil {
		return a == b
	}
	if (a.Regex == nil) != (b.Regex == nil) || a.Regex != nil && a.Regex.String() != b.Regex.String() {
		return false
	}
	return a.By == b.By && cmp.Equal(a.Prefixes, b.Prefixes, cmpopts.EquateEmpty())
}

func FuzzCheckpoint(f *testing.F) {
	f.Add(false, checkpointType, []byte(`"17"`))
	f.Add(true, checkpointOldType, []byte(`"C:17/P:17"`))
	f.Add(true, checkpointType, []byte(`"C:-1/P:-1"`))
	f.Add(false, "$other", []byte(`{}`))
	f.Fuzz(func(t *testing.T, all bool, typ string, data []byte) {
		s := source{stream: "s"}
		if all {
			s.stream = All
		}
		at, err := decodeCheckpoint(&s, &node.Record{Type: typ, Data: data})
		if err != nil {
			return
		}
		text, err := json.Marshal(s.text(at))
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeCheckpoint(&s, &node.Record{Type: checkpointType, Data: text})
		if err != nil || again != at || at < 0 {
			t.Errorf("%s is read as %d, and that as %d, %v", data, at, again, err)
		}
	})
}

// FuzzParked is for the events of a parked stream, and for what strategies look
// at in any event.
func FuzzParked(f *testing.F) {
	f.Add(node.TypeLink, []byte("1@s"), []byte(`{"added":"2026-01-02T12:00:00Z","reason":"because","subscriptionEventNumber":1}`))
	f.Add("T", []byte("{}"), []byte(`{"$correlationId":"red"}`))
	f.Fuzz(func(t *testing.T, typ string, data, metadata []byte) {
		r := &node.Record{Stream: "s", Type: typ, Data: data, Metadata: metadata}
		p := newPinned(correlationOf)
		for _, m := range []*message{{event: r}, {link: r}, {event: r, link: r}} {
			if b := p.bucket(m); b != p.bucket(m) {
				t.Error("a message has two buckets")
			}
			if streamOf(m) == "" && r.Type != node.TypeLink {
				t.Error("an event is of no stream")
			}
			g := &group{definition: &Definition{Stream: "s", Group: "g"}, now: func() time.Time { return time.Time{} }}
			if e := g.parked(m, string(metadata)).event; e.Type != node.TypeLink || e.Size() > maxReasonSize*8+int64(len(data))+1000 {
				t.Errorf("it is parked as a %s of %d bytes", e.Type, e.Size())
			}
		}
	})
}
