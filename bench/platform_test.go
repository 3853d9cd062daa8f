package bench

import "testing"

// An address is free for long after it was given away: a platform may be down for
// seconds before it listens there again.
func TestAnAddressIsGivenAwayOnce(t *testing.T) {
	t.Parallel()
	given := map[string]bool{}
	for range 100 {
		addr, err := FreeAddr()
		if err != nil {
			t.Fatal(err)
		}
		if given[addr] {
			t.Errorf("%s was given away twice", addr)
		}
		given[addr] = true
	}
}
