package node

import "github.com/google/uuid"

// A verdict is what the rules of expected revisions say to an append.
type verdict int

const (
	verdictWrite verdict = iota
	verdictRepeated
	verdictWrong
	verdictDeleted
)

// history answers what the rules ask about a stream: what is stored, and what
// earlier appends of the same group are about to store.
type history interface {
	// recent finds an event among the newest ones of the whole store.
	recent(stream uint64, id uuid.UUID) (windowEntry, bool)
	// at finds an event by its revision; the id is zero when it is no longer
	// stored.
	at(stream, revision uint64) (id uuid.UUID, position uint64, err error)
	// hasMetadata reports whether the stream's metadata was ever written.
	hasMetadata(stream string) (bool, error)
}

// check says what to do with an append to the stream whose head is h. For
// verdictRepeated it also says where the append ended the first time.
func check(h *head, a *Append, past history) (verdict, Appended, error) {
	if h.tombstoned {
		return verdictDeleted, Appended{}, nil
	}
	if a.Expected == ExpectExists {
		if h.softDeleted() {
			return verdictDeleted, Appended{}, nil
		}
		if h.last < 0 {
			ok, err := past.hasMetadata(a.Stream)
			if err != nil || !ok {
				return verdictWrong, Appended{}, err
			}
		}
	}
	if a.Expected == ExpectAny || a.Expected == ExpectExists {
		v, done := checkAny(h, a, past)
		return v, done, nil
	}
	return checkExact(h, a, past)
}

// checkAny looks at the first id only: when that is new, all are taken for new.
func checkAny(h *head, a *Append, past history) (verdict, Appended) {
	if len(a.Events) == 0 {
		return verdictWrite, Appended{}
	}
	var last windowEntry
	for i := range a.Events {
		e, known := past.recent(h.id, a.Events[i].ID)
		switch {
		case !known && i == 0:
			return verdictWrite, Appended{}
		case !known:
			return verdictWrong, Appended{}
		}
		last = e
	}
	return verdictRepeated, Appended{Revision: int64(last.revision), Position: last.position}
}

// checkExact recognises an append that is already stored after the expected
// revision, even when more was stored behind it. At the current revision ids
// are not looked at: an event written there twice is there twice.
func checkExact(h *head, a *Append, past history) (verdict, Appended, error) {
	expected := int64(a.Expected)
	if expected == h.last {
		return verdictWrite, Appended{}, nil
	}
	if expected > h.last || len(a.Events) == 0 {
		return verdictWrong, Appended{}, nil
	}
	done := Appended{Revision: expected}
	for i := range a.Events {
		done.Revision++
		if done.Revision > h.last {
			return verdictWrong, Appended{}, nil
		}
		id, position, err := past.at(h.id, uint64(done.Revision))
		if err != nil {
			return verdictWrong, Appended{}, err
		}
		if id != a.Events[i].ID {
			if i == 0 && a.Expected == ExpectNoStream && h.softDeleted() {
				return verdictWrite, Appended{}, nil
			}
			return verdictWrong, Appended{}, nil
		}
		done.Position = position
	}
	return verdictRepeated, done, nil
}
