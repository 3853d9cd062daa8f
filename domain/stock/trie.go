package stock

import (
	"iter"
	"math/bits"
)

// trie is a map that is never changed: with and without return another one
// that shares nearly everything with it. A state can therefore be kept while
// commands are tried on it, at the price of a few small nodes per change. The
// zero value is empty.
type trie[V any] struct {
	root *node[V]
	size int
}

// node has up to 16 slots, one per four bits of the key's hash; bitmap says
// which are there. Below the last bits of a hash, keys stand in a row.
type node[V any] struct {
	bitmap uint16
	slots  []slot[V]
}

type slot[V any] struct {
	child *node[V] // nil for an entry
	hash  uint64
	key   string
	value V
}

const hashBits = 64

// hash is FNV-1a.
func hash(key string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	return h ^ h>>32
}

func (t trie[V]) get(key string) (value V, found bool) {
	h := hash(key)
	for n, shift := t.root, 0; n != nil; shift += 4 {
		i, there := n.find(key, h, shift)
		if !there {
			return value, false
		}
		s := &n.slots[i]
		if s.child == nil {
			if s.key != key {
				return value, false
			}
			return s.value, true
		}
		n = s.child
	}
	return value, false
}

func (t trie[V]) with(key string, value V) trie[V] {
	root, added := t.root.with(slot[V]{hash: hash(key), key: key, value: value}, 0)
	if added {
		t.size++
	}
	t.root = root
	return t
}

func (t trie[V]) without(key string) trie[V] {
	root, removed := t.root.without(key, hash(key), 0)
	if removed {
		return trie[V]{root, t.size - 1}
	}
	return t
}

// all yields every entry, in an order that depends on the keys alone.
func (t trie[V]) all() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) { t.root.each(yield) }
}

func (n *node[V]) each(yield func(string, V) bool) bool {
	if n == nil {
		return true
	}
	for i := range n.slots {
		s := &n.slots[i]
		if s.child != nil && !s.child.each(yield) || s.child == nil && !yield(s.key, s.value) {
			return false
		}
	}
	return true
}

// find returns the slot for a key, or where it would be.
func (n *node[V]) find(key string, h uint64, shift int) (index int, there bool) {
	if shift >= hashBits {
		for i := range n.slots {
			if n.slots[i].key == key {
				return i, true
			}
		}
		return len(n.slots), false
	}
	bit := uint16(1) << (h >> shift & 15)
	return bits.OnesCount16(n.bitmap & (bit - 1)), n.bitmap&bit != 0
}

func (n *node[V]) with(entry slot[V], shift int) (*node[V], bool) {
	if n == nil {
		n = &node[V]{}
	}
	i, there := n.find(entry.key, entry.hash, shift)
	c := &node[V]{bitmap: n.bitmap}
	if !there {
		if shift < hashBits {
			c.bitmap |= 1 << (entry.hash >> shift & 15)
		}
		c.slots = make([]slot[V], 0, len(n.slots)+1)
		c.slots = append(append(append(c.slots, n.slots[:i]...), entry), n.slots[i:]...)
		return c, true
	}
	c.slots = append([]slot[V](nil), n.slots...)
	s := &c.slots[i]
	switch {
	case s.child != nil:
		child, added := s.child.with(entry, shift+4)
		*s = slot[V]{child: child}
		return c, added
	case s.key == entry.key:
		*s = entry
		return c, false
	}
	child, _ := (*node[V])(nil).with(*s, shift+4)
	child, _ = child.with(entry, shift+4)
	*s = slot[V]{child: child}
	return c, true
}

func (n *node[V]) without(key string, h uint64, shift int) (*node[V], bool) {
	if n == nil {
		return nil, false
	}
	i, there := n.find(key, h, shift)
	if !there {
		return n, false
	}
	s := n.slots[i]
	if s.child != nil {
		child, removed := s.child.without(key, h, shift+4)
		if !removed || child != nil {
			c := &node[V]{bitmap: n.bitmap, slots: append([]slot[V](nil), n.slots...)}
			c.slots[i] = slot[V]{child: child}
			return c, removed
		}
	} else if s.key != key {
		return n, false
	}
	if len(n.slots) == 1 {
		return nil, true
	}
	c := &node[V]{bitmap: n.bitmap, slots: make([]slot[V], 0, len(n.slots)-1)}
	c.slots = append(append(c.slots, n.slots[:i]...), n.slots[i+1:]...)
	if shift < hashBits {
		c.bitmap &^= 1 << (h >> shift & 15)
	}
	return c, true
}
