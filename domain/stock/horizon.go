package stock

import (
	"strings"
	"time"
)

// horizon is the latest time that any forgotten reservation was ever to expire:
// one that lasts longer is new for certain, and the log need not be asked. The
// reservations of edits last shorter than those of checkouts, so that each kind
// has its own.
type horizon struct{ checkouts, edits time.Time }

func (h horizon) of(id string) time.Time {
	if strings.HasPrefix(id, ForEdit) {
		return h.edits
	}
	return h.checkouts
}

// after is the horizon when one more reservation is forgotten.
func (h horizon) after(id string, r *Reservation) horizon {
	if !r.until.After(h.of(id)) {
		return h
	}
	if strings.HasPrefix(id, ForEdit) {
		h.edits = r.until
	} else {
		h.checkouts = r.until
	}
	return h
}

// aged forgets reservations that were over for good a while ago. By then
// whoever works for one has long got an answer, and hardly anybody asks again;
// who does is answered from the log. One that was to last longer than those that
// are made at the time stays until they last as long: or each of them would have
// to be looked for in the log.
func aged(s State) State {
	for {
		id, r, there := s.closed.oldest()
		if !there {
			return s
		}
		if since := s.latest.Add(-s.lasts()); r.over.After(since) || r.until.After(since) {
			return s
		}
		s.closed, s.horizon = s.closed.forgets(id), s.horizon.after(id, r)
	}
}

func (s State) lasts() time.Duration {
	if s.lasting == 0 {
		return Lasting
	}
	return s.lasting
}
