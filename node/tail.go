package node

import (
	"sort"
	"sync"
)

// tail holds the newest records decoded: whoever follows the log reads from
// here. All in it is synced, and it has no gaps.
type tail struct {
	limit int64 // bytes

	mu      sync.RWMutex
	records []*Record // in the order of positions; never changed below len
	bytes   int64
}

// recordOverhead is roughly what a record takes beside its texts and bytes.
const recordOverhead = 192

func (r *Record) memory() int64 {
	return int64(recordOverhead + len(r.Stream) + len(r.Type) + len(r.Data) + len(r.Metadata))
}

func (t *tail) add(records []*Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range records {
		t.bytes += r.memory()
	}
	t.records = append(t.records, records...)
	drop := 0
	for t.bytes > t.limit && drop < len(t.records)-1 {
		t.bytes -= t.records[drop].memory()
		t.records[drop] = nil
		drop++
	}
	t.records = t.records[drop:]
}

// from returns up to limit records at or after position; whole says that there
// are no more, ok is false when some of them are no longer here.
func (t *tail) from(position uint64, limit int) (records []*Record, whole, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.records) == 0 || position < t.records[0].Position {
		return nil, false, false
	}
	i := t.search(position)
	j := min(len(t.records), i+limit)
	return append(make([]*Record, 0, j-i), t.records[i:j]...), j == len(t.records), true
}

// at returns the record at exactly that position, or nil.
func (t *tail) at(position uint64) *Record {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.records) == 0 || position < t.records[0].Position {
		return nil
	}
	if i := t.search(position); i < len(t.records) && t.records[i].Position == position {
		return t.records[i]
	}
	return nil
}

func (t *tail) search(position uint64) int {
	return sort.Search(len(t.records), func(i int) bool { return t.records[i].Position >= position })
}
