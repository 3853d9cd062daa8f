package stock

// Forgetful returns an item that remembers less.
func Forgetful(keep int) State { return State{keep: keep} }

// Forget lets an item remember less.
func (s State) Forget(keep int) State {
	s.keep = keep
	return s
}
