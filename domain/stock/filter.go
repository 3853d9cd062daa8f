package stock

import "slices"

// filter remembers keys for ever in little room, by being wrong at times: it
// never denies a key it was given, but may claim one that it was not. That is
// one in 200 after 10,000 keys, one in 4 after 40,000. Like a trie it is never
// changed. The zero value is empty.
type filter struct{ bits []byte }

const (
	filterBytes  = 16 << 10
	filterProbes = 4
)

func (f filter) with(key string) filter {
	bits := slices.Clone(f.bits)
	if bits == nil {
		bits = make([]byte, filterBytes)
	}
	for i := range filterProbes {
		at := probe(key, i)
		bits[at/8] |= 1 << (at % 8)
	}
	return filter{bits}
}

func (f filter) has(key string) bool {
	if f.bits == nil {
		return false
	}
	for i := range filterProbes {
		if at := probe(key, i); f.bits[at/8]&(1<<(at%8)) == 0 {
			return false
		}
	}
	return true
}

// probe returns one of the bits of a key: 17 bits of a 64 bit hash each would
// be too many, so that the second half steps over the first.
func probe(key string, i int) uint64 {
	h := hash(key)
	return (h + uint64(i)*(h>>40|1)) % (filterBytes * 8) //nolint:gosec // i is below filterProbes
}
