package stock

import (
	"strings"
	"time"
)

// order keeps reservations by the time they expire: a treap whose weights are
// hashes of the ids, so that its shape follows from what is in it. Like a trie
// it is never changed. The zero value is empty.
type order struct{ root *branch }

type branch struct {
	due
	weight      uint64
	left, right *branch
}

// due is a reservation and when it expires.
type due struct {
	at time.Time
	id string
}

func (d due) before(o due) bool {
	if c := d.at.Compare(o.at); c != 0 {
		return c < 0
	}
	return strings.Compare(d.id, o.id) < 0
}

// first returns the reservation that expires first.
func (o order) first() (due, bool) {
	n := o.root
	if n == nil {
		return due{}, false
	}
	for n.left != nil {
		n = n.left
	}
	return n.due, true
}

func (o order) with(d due) order {
	left, right := o.root.split(d)
	return order{join(join(left, &branch{due: d, weight: hash(d.id)}), right)}
}

func (o order) without(d due) order { return order{o.root.without(d)} }

// split returns what is before d, and the rest.
func (n *branch) split(d due) (before, rest *branch) {
	if n == nil {
		return nil, nil
	}
	c := *n
	if n.before(d) {
		c.right, rest = n.right.split(d)
		return &c, rest
	}
	before, c.left = n.left.split(d)
	return before, &c
}

// join returns all of both; everything in l is before everything in r.
func join(l, r *branch) *branch {
	switch {
	case l == nil:
		return r
	case r == nil:
		return l
	case l.weight > r.weight:
		c := *l
		c.right = join(l.right, r)
		return &c
	}
	c := *r
	c.left = join(l, r.left)
	return &c
}

func (n *branch) without(d due) *branch {
	switch {
	case n == nil:
		return nil
	case n.at.Equal(d.at) && n.id == d.id:
		return join(n.left, n.right)
	}
	c := *n
	if d.before(n.due) {
		c.left = n.left.without(d)
	} else {
		c.right = n.right.without(d)
	}
	return &c
}
