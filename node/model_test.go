package node_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
)

// A model is a store as simple as it can be: what each stream holds, as the
// names its events were made from.
type model map[string][]string

// answer says what an append to the model answers: the last revision, and
// whether it is refused.
func (m model) answer(a node.Append, list []string) (revision int64, refused bool) {
	have := m[a.Stream]
	last := int64(len(have)) - 1
	if a.Expected == node.ExpectExists && last < 0 {
		return 0, true
	}
	if a.Expected == node.ExpectAny || a.Expected == node.ExpectExists {
		return m.loose(a.Stream, list)
	}
	expected := int64(a.Expected)
	switch {
	case expected == last:
		return m.store(a.Stream, list), false
	case expected > last || len(list) == 0 || expected+int64(len(list)) > last:
		return 0, true
	case slices.Equal(have[expected+1:expected+1+int64(len(list))], list):
		return expected + int64(len(list)), false
	}
	return 0, true
}

func (m model) loose(stream string, list []string) (int64, bool) {
	have := m[stream]
	if len(list) == 0 || !slices.Contains(have, list[0]) {
		return m.store(stream, list), false
	}
	revision := 0
	for _, name := range list {
		if !slices.Contains(have, name) {
			return 0, true
		}
		for i, other := range have {
			if other == name {
				revision = i
			}
		}
	}
	return int64(revision), false
}

func (m model) store(stream string, list []string) int64 {
	if len(list) > 0 {
		m[stream] = append(m[stream], list...)
	}
	return int64(len(m[stream])) - 1
}

func TestRandomHistoriesAreThoseOfTheModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			live(t, seed)
		})
	}
}

func live(t *testing.T, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	fs := vfs.NewMem()
	cfg := config(fs)
	cfg.Streams = 2 // so that heads are forgotten
	n := open(t, cfg)
	m := model{}
	for step := range 600 {
		if rng.IntN(100) == 0 {
			closeNode(t, n)
			n = open(t, cfg)
		}
		a, list := randomAppend(rng, m)
		want, refused := m.answer(a, list)
		got, err := n.Append(deadline(t), a)
		wrong := (*node.WrongExpectedError)(nil)
		if errors.As(err, &wrong) != refused || (err != nil && wrong == nil) {
			t.Fatalf("step %d: append of %v to %s at %s answered %v, refused in the model: %v", step, list, a.Stream, a.Expected, err, refused)
		}
		if err == nil && got.Revision != want {
			t.Fatalf("step %d: append of %v to %s at %s answered revision %d, in the model %d", step, list, a.Stream, a.Expected, got.Revision, want)
		}
	}
	for stream, want := range m {
		got, err := wholeStream(n, stream)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s has %d events, %v; in the model %d", stream, len(got), err, len(want))
		}
		for i, r := range got {
			if r.ID != event(want[i], 0).ID {
				t.Errorf("%s at %d is not %s", stream, i, want[i])
			}
		}
	}
	verifyLog(t, n)
	closeNode(t, n)
}

// randomAppend often repeats what is stored and is often nearly right.
func randomAppend(rng *rand.Rand, m model) (node.Append, []string) {
	stream := fmt.Sprintf("s%d", rng.IntN(4))
	have := m[stream]
	var list []string
	if len(have) > 0 && rng.IntN(2) == 0 {
		from := rng.IntN(len(have))
		list = slices.Clone(have[from:min(len(have), from+rng.IntN(4))])
	}
	for range rng.IntN(3) {
		list = append(list, fmt.Sprint(rng.IntN(2000)))
	}
	expected := node.Expected(max(-1, len(have)-1-rng.IntN(4)+rng.IntN(2)))
	switch rng.IntN(4) {
	case 0:
		expected = node.ExpectAny
	case 1:
		expected = node.ExpectExists
	}
	return appendTo(stream, expected, list...), list
}
