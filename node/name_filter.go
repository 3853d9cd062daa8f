package node

import (
	"bytes"
	"errors"
	"sync"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/cockroachdb/pebble/v2"
)

// nameFilter knows most streams that do not exist without looking for them: every
// append to a new stream asks for its head and for that of its metadata, which
// costs more than all else that the writer decides. It is a Bloom filter of the
// names of all heads that are stored (B. H. Bloom, Space/time trade-offs in hash
// coding with allowable errors, 1970), of ten bits for each, which grows by
// filters that take twice as many as the one before.
type nameFilter struct {
	mu      sync.Mutex
	filters []*bloom.BloomFilter
	room    uint // how many names the newest still takes
	taken   uint // by all of them
	whole   bool // everything that is stored was added
}

const (
	fewestNames = 1 << 16
	// mostNames are 60 MB; beyond them streams are looked for.
	mostNames = 50_000_000
	// falseNames is how often a stream is looked for in vain.
	falseNames = 0.01
)

// expect makes room for what is stored.
func (s *nameFilter) expect(streams uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if streams < mostNames {
		s.grow(max(uint(streams), fewestNames))
	}
}

func (s *nameFilter) grow(by uint) {
	s.filters = append(s.filters, bloom.NewWithEstimates(by, falseNames))
	s.room, s.taken = by, s.taken+by
}

// add is called before a head is stored.
func (s *nameFilter) add(streams ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stream := range streams {
		if len(s.filters) == 0 {
			return
		}
		if s.room == 0 && s.taken >= mostNames {
			s.filters, s.whole = nil, false
			return
		}
		if s.room == 0 {
			s.grow(s.taken)
		}
		if s.has(stream) {
			continue
		}
		s.filters[len(s.filters)-1].AddString(stream)
		s.room--
	}
}

func (s *nameFilter) has(stream string) bool {
	for _, filter := range s.filters {
		if filter.TestString(stream) {
			return true
		}
	}
	return false
}

// complete says that all which was stored before the first add was added.
func (s *nameFilter) complete() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole = len(s.filters) > 0
}

// absent reports whether the stream has no head for certain.
func (s *nameFilter) absent(stream string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.whole && !s.has(stream)
}

// learnNames reads the names of what is stored while the writer is at work,
// which adds those that come. It holds the files for a page at a time, so that
// the node can be closed.
func (n *Node) learnNames() {
	from := []byte{namePrefix}
	for from != nil {
		select {
		case <-n.closing:
			return
		default:
		}
		err := n.reading(func() (err error) {
			from, err = n.namesFrom(from)
			return err
		})
		if err != nil {
			return // then streams are looked for as long as the node is open
		}
	}
	n.names.complete()
}

// namesFrom adds a page of names and returns where the next one begins.
func (n *Node) namesFrom(key []byte) (next []byte, err error) {
	const page = 4096
	it, err := n.db.NewIter(&pebble.IterOptions{LowerBound: key, UpperBound: []byte{namePrefix + 1}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	found := make([]string, 0, page)
	ok := it.First()
	for ; ok && len(found) < page; ok = it.Next() {
		found = append(found, string(it.Key()[1:]))
	}
	n.names.add(found...)
	if !ok {
		return nil, it.Error()
	}
	return bytes.Clone(it.Key()), nil
}
