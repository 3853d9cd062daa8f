package stock

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A trie agrees with a map, and older tries stay as they were.
func TestTrieAgreesWithAMap(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	want, older := map[string]int{}, map[string]int{}
	var got, old trie[int]
	for i := range 20_000 {
		i++
		key := fmt.Sprint(random.IntN(2000))
		if random.IntN(3) == 0 {
			got = got.without(key)
			delete(want, key)
		} else {
			got = got.with(key, i)
			want[key] = i
		}
		if v, ok := got.get(key); ok != (want[key] != 0) || v != want[key] {
			t.Fatalf("key %s is %d, %v; want %d", key, v, ok, want[key])
		}
		if i == 10_000 {
			old, older = got, maps.Clone(want)
		}
	}
	for name, pair := range map[string]struct {
		got  trie[int]
		want map[string]int
	}{"newest": {got, want}, "older": {old, older}} {
		if diff := cmp.Diff(pair.want, maps.Collect(pair.got.all())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if pair.got.size != len(pair.want) {
			t.Errorf("%s has size %d, want %d", name, pair.got.size, len(pair.want))
		}
	}
}

func TestTrieTakesKeysOfOneHash(t *testing.T) {
	t.Parallel()
	var n *node[int]
	for i, key := range []string{"a", "b", "c"} {
		n, _ = n.with(slot[int]{hash: 42, key: key, value: i}, 0)
	}
	for i, key := range []string{"a", "b", "c"} {
		at := n
		for shift := 0; ; shift += 4 {
			j, there := at.find(key, 42, shift)
			if !there {
				t.Fatalf("%s is lost", key)
			}
			if at.slots[j].child == nil {
				if at.slots[j].value != i {
					t.Errorf("%s is %d", key, at.slots[j].value)
				}
				break
			}
			at = at.slots[j].child
		}
	}
	for _, key := range []string{"b", "a", "c"} {
		var removed bool
		if n, removed = n.without(key, 42, 0); !removed {
			t.Errorf("%s stays", key)
		}
	}
	if n != nil {
		t.Error("an empty trie has no node")
	}
}
