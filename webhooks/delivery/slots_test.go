package delivery_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// claimant is an endpoint that wants slots, and a model of what it has.
type claimant struct {
	*delivery.Claim
	host  string
	of    string // tenant
	held  int
	waits bool
	woken int
}

// court runs claimants against the slots and checks what they promise.
type court struct {
	t       *testing.T
	slots   *delivery.Slots
	all     []*claimant
	perHost int
	inAll   int
}

func newCourt(t *testing.T, perHost, inAll int, hosts ...string) *court {
	t.Helper()
	c := &court{t: t, slots: delivery.NewSlots(perHost, inAll), perHost: perHost, inAll: inAll}
	for _, host := range hosts {
		host, of, _ := strings.Cut(host, " of ")
		one := &claimant{host: host, of: of}
		one.Claim = c.slots.Claim(host, of, func() { one.woken++ })
		c.all = append(c.all, one)
	}
	return c
}

func (c *court) take(one *claimant) bool {
	woken := one.woken
	if !c.slots.Take(one.Claim) {
		one.waits = true
		return false
	}
	if woken > 0 {
		one.woken--
	}
	one.waits = false
	one.held++
	return true
}

func (c *court) give(one *claimant) {
	one.held--
	c.slots.Give(one.Claim)
}

func (c *court) check(when string) {
	c.t.Helper()
	used, hosts, tenants := 0, map[string]int{}, map[string]int{}
	for _, one := range c.all {
		used += one.held + one.woken
		hosts[one.host] += one.held + one.woken
		tenants[one.of] += one.held + one.woken
	}
	if used > c.inAll {
		c.t.Fatalf("%s: %d slots of %d are used", when, used, c.inAll)
	}
	for host, n := range hosts {
		if n > c.perHost {
			c.t.Fatalf("%s: %d slots of %d are used at %s", when, n, c.perHost, host)
		}
	}
	for i, one := range c.all {
		free := c.perHost - hosts[one.host]
		if one.waits && one.woken == 0 && used < c.inAll && tenants[one.of] < 8*(c.inAll-used) && free > 0 && one.held < 8*free {
			c.t.Fatalf("%s: claimant %d waits while %d slots are free", when, i, free)
		}
	}
}

func TestSlotsAreSharedOutWithinTheirBoundsAndNobodyWaitsInVain(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 3))
		var hosts []string
		for range 1 + random.IntN(12) {
			hosts = append(hosts, fmt.Sprint("host", random.IntN(4), " of ", random.IntN(3)))
		}
		c := newCourt(t, 1+random.IntN(8), 1+random.IntN(40), hosts...)
		for step := range 2000 {
			one := c.all[random.IntN(len(c.all))]
			switch n := random.IntN(10); {
			case n < 5:
				c.take(one)
			case n < 9 && one.held > 0:
				c.give(one)
			case n == 9 && random.IntN(5) == 0:
				c.slots.Leave(one.Claim)
				one.waits, one.woken = false, 0
			}
			c.check(fmt.Sprintf("seed %d, step %d", seed, step))
		}
	}
}

func TestADeepBacklogDoesNotStarveOthers(t *testing.T) {
	t.Parallel()
	for what, hosts := range map[string][]string{
		"on the same host": {"h", "h", "h", "h"},
		"on other hosts":   {"a", "b", "c", "d"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c := newCourt(t, 8, 8, hosts...)
			sent := make([]int, len(c.all))
			var under []*claimant
			for range 10_000 {
				for i, one := range c.all {
					// The first has a million, the others keep up with it.
					for (i == 0 || sent[i] <= sent[0]) && c.take(one) {
						under = append(under, one)
						sent[i]++
					}
				}
				if len(under) > 0 {
					c.give(under[0])
					under = under[1:]
				}
			}
			for i, n := range sent[1:] {
				if n < sent[0]*9/10 {
					t.Errorf("claimant %d got %d slots, the one with the backlog %d", i+1, n, sent[0])
				}
			}
		})
	}
}

func TestWhoHangsLeavesRoomForOthersOnTheSameHost(t *testing.T) {
	t.Parallel()
	c := newCourt(t, 32, 2048, "h", "h", "h")
	for c.take(c.all[0]) {
		continue
	}
	if held := c.all[0].held; held < 24 {
		t.Errorf("alone it gets %d slots of 32", held)
	}
	for _, one := range c.all[1:] {
		if !c.take(one) {
			t.Error("another finds no slot at all")
		}
	}
}

// TestATenantThatHangsEverywhereLeavesRoomForOthers: that its endpoints are many,
// and at hosts of their own, does not give it all that there is.
func TestATenantThatHangsEverywhereLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	var hosts []string
	for n := range 1000 {
		hosts = append(hosts, fmt.Sprint("host", n, " of a"))
	}
	c := newCourt(t, 64, 2048, append(hosts, "another of b", "third of c")...)
	held := 0
	for range 8 {
		for _, one := range c.all[:len(hosts)] {
			if c.take(one) {
				held++
			}
		}
	}
	if held < 1800 || held > 1850 {
		t.Errorf("it holds %d of 2048 slots", held)
	}
	for _, one := range c.all[len(hosts):] {
		for range 8 {
			if !c.take(one) {
				t.Fatalf("one of tenant %s gets %d slots", one.of, one.held)
			}
		}
	}
	c.check("beside others")
	c.give(c.all[0])
	c.check("after one came back")
}
