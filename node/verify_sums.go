package node

// names is a sum of the name of each stream, by the stream's id.
type names map[uint64]*namePage

const namePageSize = 1 << 10

// namePage holds neighbours together: ids are given one after the other.
type namePage [namePageSize]uint64

func (n names) get(id uint64) (sum uint64, ok bool) {
	page := n[id/namePageSize]
	if page == nil {
		return 0, false
	}
	sum = page[id%namePageSize]
	return sum, sum != 0
}

// set answers false when the id is taken.
func (n names) set(id, sum uint64) bool {
	page := n[id/namePageSize]
	if page == nil {
		page = new(namePage)
		n[id/namePageSize] = page
	}
	if page[id%namePageSize] != 0 {
		return false
	}
	page[id%namePageSize] = sum
	return true
}

// sums are two sides' sums of things, each thing a number that is mixed from
// all that the sides must agree on. Sums that are equal are those of equal sets,
// as far as chance goes; where they are not, one of the things with that bucket
// differs.
type sums struct{ said, counted [buckets]sum }

const (
	buckets    = 1 << 15
	neighbours = 16 // bits
)

type sum struct{ sum, n uint64 }

// bucket keeps the neighbours of a log together: a search for what differs
// reads stretches then.
func bucket(key uint64) int {
	return int(key >> neighbours % buckets)
}

func (s *sums) say(key, thing uint64) { s.said[bucket(key)].add(thing) }

func (s *sums) count(key, thing uint64) { s.counted[bucket(key)].add(thing) }

func (s *sum) add(thing uint64) {
	s.sum += thing
	s.n++
}

func (s *sums) differ(key uint64) bool {
	b := bucket(key)
	return s.said[b] != s.counted[b]
}

func (s *sums) equal() bool { return s.said == s.counted }

// mix makes a number of numbers, other ones for others: the finaliser of
// splitmix64 after each.
func mix(numbers ...uint64) uint64 {
	var h uint64
	for _, n := range numbers {
		h += n + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}
