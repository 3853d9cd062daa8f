package persistent_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/persistent"
)

func TestCheckpointsByCount(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcdef")
		w.create("s", func(s *persistent.Settings) { s.MinCheckpoint, s.MaxCheckpoint, s.CheckpointAfter = 2, 3, 0 })
		m := w.join("s", 10)
		m.wants("abcdef")
		for _, step := range []struct{ ack, want string }{
			{"a", ""}, {"b", ""}, {"c", `"2"`}, {"e", `"2"`}, {"f", `"2"`}, {"d", `"5"`},
		} {
			m.ack(step.ack)
			if got := w.checkpoint("s"); got != step.want {
				t.Errorf("after %s the checkpoint is %s, want %s", step.ack, got, step.want)
			}
		}
	})
}

func TestCheckpointsByTime(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcdef")
		w.create("s", func(s *persistent.Settings) { s.MinCheckpoint, s.CheckpointAfter = 2, 5*time.Second })
		m := w.join("s", 10)
		m.wants("abcdef")
		m.ack("a")
		pass(10 * time.Second)
		if got := w.checkpoint("s"); got != "" {
			t.Errorf("the checkpoint is %s after one message, want none before two", got)
		}
		m.ack("b")
		if got := w.checkpoint("s"); got != "" {
			t.Errorf("the checkpoint is %s at once, want none before the next tick", got)
		}
		pass(time.Second)
		if got := w.checkpoint("s"); got != `"1"` {
			t.Errorf("the checkpoint is %s, want 1", got)
		}
		m.ack("cd")
		pass(3 * time.Second)
		if got := w.checkpoint("s"); got != `"1"` {
			t.Errorf("the checkpoint is %s before its time", got)
		}
		pass(3 * time.Second)
		if got := w.checkpoint("s"); got != `"3"` {
			t.Errorf("the checkpoint is %s, want 3", got)
		}
	})
}

func TestNoCheckpointByTime(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "ab")
		w.create("s", func(s *persistent.Settings) { s.MinCheckpoint, s.CheckpointAfter = 1, 0 })
		m := w.join("s", 10)
		m.wants("ab")
		m.ack("ab")
		pass(time.Minute)
		if got := w.checkpoint("s"); got != "" {
			t.Errorf("the checkpoint is %s, want none", got)
		}
	})
}

func TestCheckpointsStopBeforeWhatIsNotDone(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcde")
		w.create("s", eager)
		m := w.join("s", 4)
		m.wants("abcd")
		m.ack("acd")
		m.wants("e")
		m.client.Close() // b and e come again, to nobody
		pass(10 * time.Second)
		if got := w.checkpoint("s"); got != `"0"` {
			t.Errorf("the checkpoint is %s, want 0", got)
		}
	})
}

// Not more than two checkpoints of a group can be read.
func TestOldCheckpointsAreHidden(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcdefghij")
		w.create("s", eager)
		m := w.join("s", 1)
		for _, l := range "abcdefghij" {
			m.wants(string(l))
			m.ack(string(l))
		}
		p, err := w.node.ReadStream(node.StreamRead{Stream: "$persistentsubscription-s::g-checkpoint", Limit: 100})
		if err != nil || len(p.Records) != 2 || p.StreamLast != 9 {
			t.Errorf("%d checkpoints of %d can be read, %v", len(p.Records), p.StreamLast+1, err)
		}
	})
}

// Not more than two versions of the settings of all groups can be read.
func TestOldSettingsAreHidden(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for _, stream := range []string{"a", "b", "c", "d"} {
			w.create(stream)
		}
		p, err := w.node.ReadStream(node.StreamRead{Stream: "$persistentSubscriptionConfig", Limit: 100})
		if err != nil || len(p.Records) != 2 || p.StreamLast != 3 || p.Records[1].Type != "$PersistentConfig" {
			t.Errorf("%d versions of %d can be read, %v", len(p.Records), p.StreamLast+1, err)
		}
	})
}

// What a group of the log stores must not make it store more.
func TestGroupsOfTheLogComeToRest(t *testing.T) {
	t.Parallel()
	for _, filter := range []*node.Filter{nil, {By: node.ByStream, Prefixes: []string{"s"}}} {
		t.Run(fmt.Sprint(filter != nil), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				for _, group := range []string{"g", "h"} {
					w.define(persistent.Definition{Stream: persistent.All, Group: group, Filter: filter, Settings: defaults(eager)})
				}
				c, err := w.engine.Connect(persistent.All, "g", persistent.Consumer{Buffer: 10})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				go func() {
					for d, err := c.Next(context.Background()); err == nil; d, err = c.Next(context.Background()) {
						c.Ack(d.Event.ID)
					}
				}()
				w.append("s", "abc")
				pass(10 * time.Second)
				end := w.node.End()
				pass(time.Hour)
				if got := w.node.End(); got != end {
					t.Errorf("the log has grown by %d bytes in an hour without events", got-end)
				}
				if i := w.info(persistent.All); i.Lag > 1000 {
					t.Errorf("the group is %d bytes behind: %+v", i.Lag, i)
				}
			})
		})
	}
}

// A filter that nothing passes must not make the group read everything again.
func TestCheckpointsMoveOverWhatAFilterLeavesOut(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.define(toStreams("rare-"))
		for range 50 {
			w.append("frequent", "abcdefghij")
		}
		pass(3 * time.Second)
		done := w.append("frequent", "a")
		pass(3 * time.Second)
		got := position(t, w.checkpoint(persistent.All))
		if got >= done.Position {
			t.Errorf("the checkpoint %d counts one event, want ten at least", got)
		}
		w.crash()
		w.append("rare-1", "x")
		w.join(persistent.All, 10).wants("x")
	})
}

func TestRestarts(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		restart func(*world)
		want    string
	}{
		{"of the process", func(w *world) { w.close(); w.open() }, "df"},
		{"after a crash", (*world).crash, "def"},
		{"of the subsystem", func(w *world) {
			if err := w.engine.Restart(); err != nil {
				w.Fatal(err)
			}
		}, "def"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.append("s", "abcdef")
				w.create("s", func(s *persistent.Settings) { s.MinCheckpoint, s.MaxCheckpoint = 1, 3 })
				m := w.join("s", 10)
				m.wants("abcdef")
				m.ack("abc")
				tc.restart(w)
				m.wantsDropped()
				m = w.join("s", 10)
				m.wants("def")
				m.ack("e")
				tc.restart(w)
				m = w.join("s", 10)
				m.wants("def")
			})
		})
	}
}

// A shutdown writes what was done, although no checkpoint was due.
func TestShutdownWritesACheckpoint(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abc")
		w.create("s")
		m := w.join("s", 10)
		m.wants("abc")
		m.ack("ab")
		w.close()
		w.open()
		w.join("s", 10).wants("c")
	})
}

// The end a group was told to start at stays where it was.
func TestGroupFromTheEndLosesNothingInACrash(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "ab")
		w.define(persistent.Definition{Stream: "s", Group: "g", Start: persistent.Start{End: true}, Settings: defaults()})
		w.append("s", "cd")
		w.crash()
		w.append("s", "e")
		w.join("s", 10).wants("cde")
		if i := w.info("s"); i.StartFrom != "-1" {
			t.Errorf("the group starts from %s, want -1", i.StartFrom)
		}
	})
}

func TestGroupOfTheLogFromTheEnd(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "ab")
		w.define(persistent.Definition{
			Stream: persistent.All, Group: "g", Start: persistent.Start{End: true}, Settings: defaults(),
			Filter: &node.Filter{By: node.ByType, Prefixes: []string{"a", "b", "c"}},
		})
		w.append("s", "c")
		w.append("$persistentsubscription-$all::h-parked", "a") // is not shown
		w.crash()
		w.append("t", "bx")
		w.join(persistent.All, 10).wants("cb")
		if i := w.info(persistent.All); i.StartFrom != "C:-1/P:-1" {
			t.Errorf("the group starts from %s, want C:-1/P:-1", i.StartFrom)
		}
	})
}

func TestCheckpointThatIsNotUnderstood(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "7", `"x"`, `"-1"`, `"C:1/P:1"`, `"9223372036854775807"`} {
		t.Run(data, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.append("s", "ab")
				w.create("s", eager)
				m := w.join("s", 10)
				m.wants("ab")
				m.ack("a")
				_, err := w.node.Append(context.Background(), node.Append{
					Stream: "$persistentsubscription-s::g-checkpoint", Expected: node.ExpectAny,
					Events: []node.Event{{ID: w.id(), Type: "$SubscriptionCheckpoint", Data: []byte(data)}},
				})
				if err != nil {
					t.Fatal(err)
				}
				w.crash()
				w.join("s", 10).wants("ab")
			})
		})
	}
}

// Whatever the defaults of system streams are, what groups keep is for
// administrators, as in EventStoreDB.
func TestStateIsForAdministrators(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abc")
		w.create("s", eager)
		m := w.join("s", 10)
		m.wants("abc")
		m.nack(persistent.ActionPark, "ab")
		m.ack("c")
		m.replay(new(int64(1)))
		m.wants("a")
		m.ack("a")
		for stream, want := range map[string]string{
			"$$$persistentsubscription-s::g-checkpoint": `{"$maxCount":2,"$acl":{"$r":"$admins","$w":"$admins","$d":"$admins","$mr":"$all","$mw":"$admins"}}`,
			"$$$persistentsubscription-s::g-parked":     `{"$tb":1,"$acl":{"$r":"$admins","$w":"$admins","$d":"$admins","$mr":"$admins","$mw":"$admins"}}`,
			"$$$persistentSubscriptionConfig":           `{"$maxCount":2}`,
		} {
			if got := w.lastOf(stream); got != want {
				t.Errorf("%s says %s, want %s", stream, got, want)
			}
		}
	})
}
