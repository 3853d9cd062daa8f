package effects

import (
	"errors"

	"github.com/waybill-dev/waybill/gateways/remote"
)

// away is an error of the outside system, whichever event it is asked about.
type away struct{ error }

// Unwrap lets errors.Is look through.
func (a away) Unwrap() error { return a.error }

// Away marks an error that has nothing to do with the event: the outside system
// does not answer at all, or does not let us in. The event waits, for as long
// as no other one succeeds. Of nil it is nil.
func Away(err error) error {
	if err == nil {
		return nil
	}
	return away{err}
}

// IsAway reports whether an error was marked so.
func IsAway(err error) bool {
	var a away
	return errors.As(err, &a)
}

// doubtful is an error of the event's or of the outside system's.
type doubtful struct{ error }

// Unwrap lets errors.Is look through.
func (d doubtful) Unwrap() error { return d.error }

// Doubtful marks an error that does not tell who is at fault: a mail server that
// refuses a recipient for now may mean that mailbox or all. It counts as the
// event's own, but the event is put aside only if another one succeeded while
// it was tried. Of nil it is nil.
func Doubtful(err error) error {
	if err == nil {
		return nil
	}
	return doubtful{err}
}

// IsDoubtful reports whether an error was marked so.
func IsDoubtful(err error) bool {
	var d doubtful
	return errors.As(err, &d)
}

// OfRemote marks what a call of another system ended with.
func OfRemote(err error) error {
	switch {
	case errors.Is(err, remote.ErrRefused):
		return Permanent(err)
	case errors.Is(err, remote.ErrDown):
		return Away(err)
	}
	return err
}
