package stock

import (
	"iter"
	"strconv"
)

// recent is a map of the entries that were put in last. Like a trie it is
// never changed. The zero value is empty.
type recent[V any] struct {
	values trie[numbered[V]]
	keys   trie[string] // by number
	first  int          // no entry has a lower number
	next   int          // number of the next entry
	lost   int          // entries that were forgotten
}

type numbered[V any] struct {
	number int
	value  V
}

func (r recent[V]) get(key string) (V, bool) {
	e, there := r.values.get(key)
	return e.value, there
}

// with puts an entry in, or changes one in its place. For a new one, the one
// that was put in keep entries before is forgotten, and returned.
func (r recent[V]) with(key string, value V, keep int) (after recent[V], lost string, last V, forgot bool) {
	if e, there := r.values.get(key); there {
		r.values = r.values.with(key, numbered[V]{e.number, value})
		return r, "", last, false
	}
	r.values = r.values.with(key, numbered[V]{r.next, value})
	r.keys = r.keys.with(strconv.Itoa(r.next), key)
	r.next++
	if lost, forgot = r.keys.get(strconv.Itoa(r.next - 1 - keep)); forgot {
		last, _ = r.get(lost)
		r = r.forgets(lost)
	}
	return r, lost, last, forgot
}

// forgets is without an entry, and knows that something is missing.
func (r recent[V]) forgets(key string) recent[V] {
	r = r.without(key)
	r.lost++
	return r
}

// oldest returns the entry that was put in first. It looks where the last one
// was found, so that the way there is gone once.
func (r *recent[V]) oldest() (key string, value V, there bool) {
	if r.values.size == 0 {
		r.first = r.next
		return "", value, false
	}
	for ; r.first < r.next; r.first++ {
		if key, there = r.keys.get(strconv.Itoa(r.first)); there {
			value, _ = r.get(key)
			return key, value, true
		}
	}
	return "", value, false
}

// placed puts an entry back where it was, the newest first.
func (r recent[V]) placed(key string, value V, number int) recent[V] {
	r.first = number
	r.values, r.keys = r.values.with(key, numbered[V]{number, value}), r.keys.with(strconv.Itoa(number), key)
	return r
}

func (r recent[V]) without(key string) recent[V] {
	if e, there := r.values.get(key); there {
		r.values, r.keys = r.values.without(key), r.keys.without(strconv.Itoa(e.number))
	}
	return r
}

// all yields every entry, the newest first.
func (r recent[V]) all() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for number, left := r.next-1, r.values.size; left > 0; number-- {
			key, there := r.keys.get(strconv.Itoa(number))
			if !there {
				continue
			}
			left--
			if e, _ := r.get(key); !yield(key, e) {
				return
			}
		}
	}
}
