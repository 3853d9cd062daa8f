package lineartest

import (
	"slices"

	"github.com/anishathalye/porcupine"
)

// A stream is what one client alone would see. Nobody changes one: what a
// request does makes another.
type stream struct {
	ids        []string
	first      int64
	described  bool // has metadata, if only because it was deleted
	deleted    bool
	tombstoned bool
}

func rules() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return stream{} },
		Step: func(state, in, out any) (bool, any) {
			want, next := state.(stream).do(in.(Request))
			if out == nil {
				return true, next
			}
			return want.equal(out.(Answer), in.(Request)), next
		},
		Equal: func(a, b any) bool {
			x, y := a.(stream), b.(stream)
			return x.first == y.first && x.described == y.described && x.deleted == y.deleted &&
				x.tombstoned == y.tombstoned && slices.Equal(x.ids, y.ids)
		},
	}
}

func (a Answer) equal(got Answer, r Request) bool {
	if a.Refusal != got.Refusal {
		return false
	}
	if r.Kind == Read && a.Refusal == accepted {
		return a.First == got.First && slices.Equal(a.IDs, got.IDs)
	}
	return got.Revision == Unknown || a.Revision == got.Revision
}

func (s stream) last() int64 { return int64(len(s.ids)) - 1 }

func (s stream) do(r Request) (Answer, stream) {
	switch {
	case s.tombstoned:
		return Answer{Refusal: Deleted}, s
	case r.Kind == Truncate:
		return Answer{}, s.truncate(r.From)
	case r.Kind != Read:
		return s.write(r)
	case s.deleted || len(s.ids) == 0:
		return Answer{Refusal: Missing}, s
	case s.first >= int64(len(s.ids)):
		return Answer{}, s // all is hidden, which is not missing
	}
	return Answer{First: s.first, IDs: s.ids[s.first:]}, s
}

// truncate brings a deleted stream back, without what it had.
func (s stream) truncate(from int64) stream {
	if s.deleted {
		from = int64(len(s.ids))
	}
	s.first, s.deleted, s.described = from, false, true
	return s
}

func (s stream) write(r Request) (Answer, stream) {
	wrong := Answer{Refusal: Wrong, Revision: s.last()}
	if r.Kind == Append {
		if revision, ok := s.repeated(r); ok {
			return Answer{Revision: revision}, s
		}
	}
	if !s.accepts(r) {
		return wrong, s
	}
	switch r.Kind {
	case Delete:
		if len(s.ids) == 0 && !s.described {
			return wrong, s
		}
		s.deleted, s.described = true, true
	case Tombstone:
		s.tombstoned = true
	default:
		if s.deleted {
			s.deleted, s.first = false, int64(len(s.ids))
		}
		s.ids = append(slices.Clip(s.ids), r.IDs...)
	}
	return Answer{Revision: s.last()}, s
}

// accepts is asked of requests that repeat nothing.
func (s stream) accepts(r Request) bool {
	switch {
	case r.Expected == Any:
		return r.Kind != Append || !slices.Contains(s.ids, r.IDs[0])
	case r.Expected == s.last():
		return true
	case r.Expected == NoStream && s.deleted:
		return r.Kind != Append || s.ids[0] != r.IDs[0]
	}
	return false
}

// repeated says where an append ended that is stored already.
func (s stream) repeated(r Request) (revision int64, ok bool) {
	if r.Expected == Any {
		for _, id := range r.IDs {
			i := slices.Index(s.ids, id)
			if i < 0 {
				return 0, false
			}
			revision = int64(i)
		}
		return revision, true
	}
	from, to := r.Expected+1, r.Expected+1+int64(len(r.IDs))
	if r.Expected >= s.last() || to > int64(len(s.ids)) || !slices.Equal(s.ids[from:to], r.IDs) {
		return 0, false
	}
	return to - 1, true
}
