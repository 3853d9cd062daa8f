package node

import "github.com/google/uuid"

// window remembers the ids of the newest events, so that an append without an
// expected revision can be recognised when it comes again. Only the writer
// uses it.
type window struct {
	known map[windowKey]windowEntry
	order []windowKey // a ring: the oldest is at next once it is full
	next  int
	size  int
}

type windowKey struct {
	stream uint64
	id     uuid.UUID
}

type windowEntry struct {
	revision uint64
	position uint64
}

func newWindow(size int) *window {
	return &window{known: make(map[windowKey]windowEntry), size: size}
}

func (w *window) find(stream uint64, id uuid.UUID) (windowEntry, bool) {
	e, ok := w.known[windowKey{stream, id}]
	return e, ok
}

// add must be called in the order of positions. An id that is already there
// keeps its place and gets the newer revision.
func (w *window) add(r *Record) {
	key := windowKey{r.streamID, r.ID}
	_, known := w.known[key]
	w.known[key] = windowEntry{r.Revision, r.Position}
	if known {
		return
	}
	if len(w.order) < w.size {
		w.order = append(w.order, key)
		return
	}
	delete(w.known, w.order[w.next])
	w.order[w.next] = key
	w.next = (w.next + 1) % w.size
}
