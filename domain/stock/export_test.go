package stock

import "time"

// Forgetful returns an item that remembers less.
func Forgetful(keep int) State { return State{keep: keep} }

// Hasty returns an item that forgets what is over after a time.
func Hasty(keep int, lasting time.Duration) State { return State{keep: keep, lasting: lasting} }

// Hurry lets an item forget what is over after a time.
func (s State) Hurry(lasting time.Duration) State {
	s.lasting = lasting
	return s
}

// Forget lets an item remember less.
func (s State) Forget(keep int) State {
	s.keep = keep
	return s
}
