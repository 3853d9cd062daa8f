package persistent_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/persistent"
)

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abc")
		w.create("s")
		end := int64(w.node.End())
		cases := []struct {
			name   string
			d      persistent.Definition
			kind   persistent.Kind
			reason string
		}{
			{"twice", persistent.Definition{Stream: "s"}, persistent.Exists, ""},
			{"no stream", persistent.Definition{}, persistent.Failed, "Bad stream name."},
			{
				"unknown strategy",
				persistent.Definition{Stream: "t", Settings: defaults(strategy("Bogus"))},
				persistent.Failed, "Consumer strategy Bogus does not exist.",
			},
			{
				"a batch as large as the buffer",
				persistent.Definition{Stream: "t", Settings: defaults(func(s *persistent.Settings) { s.ReadBatch = 500 })},
				persistent.Failed, "Specified argument was out of the range of valid values. (Parameter 'ReadBatchSize may not be greater than or equal to BufferSize')",
			},
			{
				"from a position the log has not reached",
				persistent.Definition{Stream: persistent.All, Start: persistent.Start{At: end}},
				persistent.Failed, "Invalid Start From position: commit position must be less than or equal to the last commit position in the transaction file.",
			},
			{
				"from a position whose halves are exchanged",
				persistent.Definition{Stream: persistent.All, Start: persistent.Start{At: 1, Prepare: 2}},
				persistent.Failed, "Invalid Start From position: prepare position must be less than or equal to the commit position.",
			},
			{
				"from before the stream",
				persistent.Definition{Stream: "t", Start: persistent.Start{At: -2}},
				persistent.Failed, "Invalid Start From position: event number must be greater than or equal to -1.",
			},
		}
		for _, tc := range cases {
			tc.d.Group = "g"
			if tc.d.Settings.Strategy == "" {
				tc.d.Settings = defaults()
			}
			err := w.engine.Create(tc.d)
			want := &persistent.Error{Kind: tc.kind, Stream: tc.d.Stream, Group: "g", Reason: tc.reason}
			if diff := cmp.Diff(error(want), err); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.name, diff)
			}
		}
		if list, err := w.engine.List(""); err != nil || len(list) != 1 {
			t.Errorf("there are %d groups, %v", len(list), err)
		}
	})
}

// The key of a group does not say where the stream ends.
func TestGroupsWithTheSameKey(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.define(persistent.Definition{Stream: "a::b", Group: "c", Settings: defaults()})
		if err := w.engine.Create(persistent.Definition{Stream: "a", Group: "b::c", Settings: defaults()}); kind(err) != persistent.Exists {
			t.Errorf("create answered %v", err)
		}
		if _, err := w.engine.Info("a", "b::c"); kind(err) != persistent.NotFound {
			t.Errorf("info answered %v", err)
		}
		if err := w.engine.Delete("a", "b::c", ""); kind(err) != persistent.NotFound {
			t.Errorf("delete answered %v", err)
		}
	})
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcdef")
		w.create("s", eager)
		m := w.join("s", 10)
		m.wants("abcdef")
		m.ack("ab")
		update := persistent.Definition{Stream: "s", Group: "g", Settings: defaults(strategy(persistent.Pinned)), Start: persistent.Start{At: 5}}
		if err := w.engine.Update(update); err != nil {
			t.Fatal(err)
		}
		m.wantsDropped()
		w.join("s", 10).wants("cdef") // from the checkpoint
		if i := w.info("s"); i.StartFrom != "5" || i.Settings.Strategy != persistent.Pinned {
			t.Errorf("the group is %+v", i)
		}
		w.crash()
		if i := w.info("s"); i.StartFrom != "5" || i.Settings.Strategy != persistent.Pinned || i.LastCheckpointed != "1" {
			t.Errorf("after the crash the group is %+v", i)
		}
	})
}

func TestUpdateOfAGroupWithoutACheckpoint(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcdef")
		w.create("s")
		m := w.join("s", 10)
		m.wants("abcdef")
		m.ack("abc")
		if err := w.engine.Update(persistent.Definition{Stream: "s", Group: "g", Settings: defaults(), Start: persistent.Start{At: 4}}); err != nil {
			t.Fatal(err)
		}
		w.join("s", 10).wants("ef")
	})
}

// One that is told to start elsewhere in between has another end.
func TestUpdateToTheEndAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "ab")
		d := persistent.Definition{Stream: "s", Group: "g", Settings: defaults(), Start: persistent.Start{End: true}}
		w.define(d)
		w.append("s", "cd")
		for _, end := range []bool{false, true} {
			if d.Start = (persistent.Start{End: end}); w.engine.Update(d) != nil {
				t.Fatal("the update is refused")
			}
		}
		w.append("s", "e")
		w.join("s", 10).wants("e")
	})
}

// A group that starts at the end keeps the end it had.
func TestUpdateAtTheEnd(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "ab")
		d := persistent.Definition{Stream: "s", Group: "g", Settings: defaults(), Start: persistent.Start{End: true}}
		w.define(d)
		w.append("s", "cd")
		if err := w.engine.Update(d); err != nil {
			t.Fatal(err)
		}
		w.append("s", "e")
		w.join("s", 10).wants("cde")
	})
}

func TestUpdateKeepsTheFilter(t *testing.T) {
	t.Parallel()
	regex, err := node.NewRegexFilter(node.ByType, "^[bd]$")
	if err != nil {
		t.Fatal(err)
	}
	filters := []*node.Filter{
		regex,
		{By: node.ByType, Prefixes: []string{"b", "d"}},
		{By: node.ByStream, Prefixes: []string{"with,comma", "x"}},
	}
	for i, filter := range filters {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.define(persistent.Definition{Stream: persistent.All, Group: "g", Filter: filter, Settings: defaults()})
				if err := w.engine.Update(persistent.Definition{Stream: persistent.All, Group: "g", Settings: defaults(eager)}); err != nil {
					t.Fatal(err)
				}
				w.append("a", "abcde")
				w.append("with,comma", "bd")
				want := "bdbd"
				if filter.By == node.ByStream {
					want = "bd"
				}
				w.join(persistent.All, 10).wants(want)
				w.crash()
				w.join(persistent.All, 10).wants(want)
			})
		})
	}
}

func TestUpdateRefuses(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "a")
		w.create("s")
		m := w.join("s", 1)
		for _, tc := range []struct {
			d    persistent.Definition
			kind persistent.Kind
		}{
			{persistent.Definition{Stream: "t", Group: "g", Settings: defaults()}, persistent.NotFound},
			{persistent.Definition{Stream: "s", Group: "h", Settings: defaults()}, persistent.NotFound},
			{persistent.Definition{Stream: "s", Group: "g", Settings: defaults(strategy("3"))}, persistent.Failed},
			{persistent.Definition{Stream: "s", Group: "g", Settings: persistent.Settings{Strategy: persistent.Pinned}}, persistent.Failed},
		} {
			if err := w.engine.Update(tc.d); kind(err) != tc.kind {
				t.Errorf("update of %+v answered %v", tc.d, err)
			}
		}
		m.wants("a") // it was not dropped
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abc")
		w.create("s", eager)
		m := w.join("s", 10)
		m.wants("abc")
		m.nack(persistent.ActionPark, "a")
		m.ack("b")
		if err := w.engine.Delete("s", "g", ""); err != nil {
			t.Fatal(err)
		}
		m.wantsDropped()
		m.ack("c") // nobody listens
		for _, state := range []string{"checkpoint", "parked"} {
			if info, err := w.node.Info("$persistentsubscription-s::g-" + state); err != nil || !info.Deleted {
				t.Errorf("the stream of the %s is %+v, %v", state, info, err)
			}
		}
		if err := w.engine.Delete("s", "g", ""); kind(err) != persistent.NotFound {
			t.Errorf("the second delete answered %v", err)
		}
		w.crash()
		if _, err := w.engine.Info("s", "g"); kind(err) != persistent.NotFound {
			t.Errorf("after a crash info answered %v", err)
		}
		// A new group of that name begins anew, also in its streams.
		w.create("s", eager)
		m = w.join("s", 10)
		m.wants("abc")
		m.nack(persistent.ActionPark, "ab")
		if i := w.info("s"); i.Parked != 2 {
			t.Errorf("%d messages are parked, want 2", i.Parked)
		}
		w.crash()
		w.join("s", 10).wants("c")
		if i := w.info("s"); i.Parked != 2 || i.LastCheckpointed != "1" {
			t.Errorf("after a crash the group is %+v", i)
		}
	})
}

// What a group of that name has left is not taken over: a crash may come
// between the two halves of a delete.
func TestCreateTakesNothingOver(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "ab")
		w.append("$persistentsubscription-s::g-parked", "xyz")
		w.store(node.Append{
			Stream: "$persistentsubscription-s::g-checkpoint", Expected: node.ExpectAny,
			Events: []node.Event{{ID: w.id(), Type: "$SubscriptionCheckpoint", JSON: true, Data: []byte(`"0"`)}},
		})
		w.create("s")
		w.join("s", 10).wants("ab")
		if i := w.info("s"); i.Parked != 0 || i.LastCheckpointed != "" {
			t.Errorf("the group is %+v", i)
		}
	})
}

func TestLimitsOfClientsAndGroups(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.config = persistent.Config{MaxGroups: 2, MaxClients: 3}
		w.crash()
		w.create("s", func(s *persistent.Settings) { s.MaxClients = 2 })
		w.create("t")
		if err := w.engine.Create(persistent.Definition{Stream: "u", Group: "g", Settings: defaults()}); kind(err) != persistent.Failed {
			t.Errorf("the third group answered %v", err)
		}
		first := w.join("s", 1)
		w.join("s", 1)
		if _, err := w.engine.Connect("s", "g", persistent.Consumer{Buffer: 1}); kind(err) != persistent.Full {
			t.Errorf("the third client answered %v", err)
		}
		w.join("t", 1)
		if _, err := w.engine.Connect("t", "g", persistent.Consumer{Buffer: 1}); kind(err) != persistent.Full {
			t.Errorf("the fourth client of all answered %v", err)
		}
		first.client.Close()
		w.join("s", 1)
	})
}

func TestListAndStats(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for _, key := range [][2]string{{"t", "g"}, {"s", "h"}, {"s", "g"}} {
			w.define(persistent.Definition{Stream: key[0], Group: key[1], Settings: defaults()})
		}
		list, err := w.engine.List("")
		if err != nil || len(list) != 3 || list[0].Group != "g" || list[2].Stream != "t" {
			t.Errorf("the list of all is %v, %v", list, err)
		}
		if list, err = w.engine.List("s"); err != nil || len(list) != 2 {
			t.Errorf("the list of s is %v, %v", list, err)
		}
		if _, err = w.engine.List("u"); kind(err) != persistent.NotFound {
			t.Errorf("the list of a stream without groups answered %v", err)
		}
		w.append("t", "abcdefgh")
		m := w.join("t", 4)
		m.wants("abcd")
		pass(2 * time.Second)
		for range 2 { // a bystander changes nothing
			if s := w.engine.Stats()[2]; s.Since != 4 || s.PerSecond != 2 || s.InFlight != 4 || s.Lag != 8 {
				t.Errorf("the statistics are %+v", s)
			}
		}
		if i := w.info("t"); i.Since != 4 {
			t.Errorf("there were %d deliveries, want 4", i.Since)
		}
		if i := w.info("t"); i.Since != 0 || i.Total != 4 {
			t.Errorf("there were %d deliveries since, want 0", i.Since)
		}
	})
}

func TestLatencies(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcd")
		w.create("s", func(s *persistent.Settings) { s.ExtraStatistics = true })
		m := w.join("s", 10)
		m.wants("abcd")
		for i, l := range "abcd" {
			pass(time.Duration(10*(i+1)) * time.Millisecond)
			m.ack(string(l))
		}
		got := map[string]int64{}
		for _, v := range w.info("s").Clients[0].Measurements {
			got[v.Key] = v.Value
		}
		want := map[string]int64{
			"Mean": 50, "Median": 60, "Fastest": 10,
			"Quintile 1": 10, "Quintile 2": 10, "Quintile 3": 30, "Quintile 4": 60, "Quintile 5": 100,
			"90%": 100, "95%": 100, "99%": 100, "99.5%": 100, "99.9%": 100, "Highest": 100,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the latencies (-want +got):\n%s", diff)
		}
	})
}

func TestConfigurationThatIsNotUnderstood(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "ab")
		w.create("s")
		store := func(typ, data string) {
			w.store(node.Append{Stream: "$persistentSubscriptionConfig", Expected: node.ExpectAny, Events: []node.Event{
				{ID: w.id(), Type: typ, Data: []byte(data)},
			}})
		}
		store("Other", "x") // means nothing
		w.crash()
		w.info("s")
		good := w.lastConfig()
		store("$PersistentConfig", "{")
		w.crash()
		if _, err := w.engine.Info("s", "g"); kind(err) != persistent.Failed {
			t.Errorf("info answered %v", err)
		}
		if err := w.engine.Create(persistent.Definition{Stream: "t", Group: "g", Settings: defaults()}); kind(err) != persistent.Failed {
			t.Errorf("create answered %v", err) // it would write over what somebody may still mend
		}
		store("$PersistentConfig", good)
		if err := w.engine.Restart(); err != nil {
			t.Fatal(err)
		}
		w.join("s", 10).wants("ab")
	})
}

// lastConfig is the configuration that is stored.
func (w *world) lastConfig() string {
	w.Helper()
	p, err := w.node.ReadStream(node.StreamRead{Stream: "$persistentSubscriptionConfig", From: node.FromEnd, Backwards: true, Limit: 10})
	if err != nil {
		w.Fatal(err)
	}
	for _, r := range p.Records {
		if r.Type == "$PersistentConfig" {
			return string(r.Data)
		}
	}
	w.Fatal("there is no configuration")
	return ""
}

// One entry that makes no sense leaves the others alone, and is kept.
func TestEntryThatIsNotUnderstood(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const config = `{"version":"2","entries":[
			{"stream":"s","group":"bad","startPosition":"x","namedConsumerStrategy":"Pinned","historyBufferSize":5},
			{"stream":"s","group":"g","startFrom":1,"namedConsumerStrategy":"Pinned","historyBufferSize":5}]}`
		w.append("s", "abc")
		w.store(node.Append{Stream: "$persistentSubscriptionConfig", Expected: node.ExpectAny, Events: []node.Event{
			{ID: w.id(), Type: "$PersistentConfig", Data: []byte(config)},
		}})
		w.crash()
		w.join("s", 10).wants("bc")
		w.create("t")
		if got := w.lastConfig(); len(got) < 500 || got[:12] != `{"version":"` {
			t.Errorf("the configuration is %s", got)
		}
		if _, err := w.engine.Info("s", "bad"); kind(err) != persistent.NotFound {
			t.Errorf("info answered %v", err)
		}
	})
}
