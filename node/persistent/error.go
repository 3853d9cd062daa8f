package persistent

import "fmt"

// A Kind says which refusal an [Error] is.
type Kind int

const (
	// NotFound is for a group that does not exist.
	NotFound Kind = iota + 1
	// Exists is for a group that cannot be created a second time.
	Exists
	// Full is for a group that has as many clients as it may have.
	Full
	// Dropped is for a client whose group was updated, deleted, restarted, or
	// can no longer read its stream. The client may connect again.
	Dropped
	// Failed is for a request that makes no sense; the reason says why.
	Failed
)

// An Error is why a group refuses something.
type Error struct {
	Kind          Kind
	Stream, Group string
	Reason        string // of Failed
}

func (e *Error) Error() string {
	of := fmt.Sprintf("Subscription group %s on stream %s", e.Group, e.Stream)
	switch e.Kind {
	case NotFound:
		return of + " does not exist."
	case Exists:
		return of + " exists."
	case Full:
		return fmt.Sprintf("Maximum subscriptions reached for subscription group %s on stream %s.", e.Group, e.Stream)
	case Dropped:
		return of + " was dropped."
	case Failed:
	}
	return fmt.Sprintf("%s failed: '%s'", of, e.Reason)
}
