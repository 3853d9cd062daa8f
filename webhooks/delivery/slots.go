package delivery

// Slots shares out attempts under way among claimants, which are endpoints:
// at most so many per target host and in all. It promises that nobody waits
// while there is room, that those who wait for the same come in turn whatever
// they have to send, and that nobody can take so much that others get nothing: a
// claimant holds at most [share] times what it leaves free of its host, and so do
// all of a tenant, wherever they lead, of what there is in all.
// It is not safe for concurrent use.
type Slots struct {
	perHost, inAll int

	used    int
	hosts   map[string]*hostSlots
	tenants map[string]*tenantSlots
	waiting []*Claim // for a slot of any host
	crowded []*Claim // until their tenant may have more
	tickets uint64
}

type hostSlots struct {
	used    int
	waiting []*Claim
}

type tenantSlots struct{ used int }

// share is how many times what is free of a host one claimant may hold, and of all
// slots one tenant: alone it gets eight ninths, and whoever comes second is never
// too late.
const share = 8

// Claim is one endpoint's part in the slots.
type Claim struct {
	host    string
	tenant  *tenantSlots
	held    int
	granted int // of held, set aside for when it comes back
	queued  bool
	ticket  uint64
	wake    func()
}

// NewSlots makes slots for a number of attempts per host and in all.
func NewSlots(perHost, inAll int) *Slots {
	return &Slots{perHost: perHost, inAll: inAll, hosts: map[string]*hostSlots{}, tenants: map[string]*tenantSlots{}}
}

// Claim enters a claimant of a tenant. Wake is called while a slot is handed out:
// it must not call back.
func (s *Slots) Claim(host, tenant string, wake func()) *Claim {
	of := s.tenants[tenant]
	if of == nil {
		of = &tenantSlots{}
		s.tenants[tenant] = of
	}
	return &Claim{host: host, tenant: of, wake: wake}
}

// Take takes a slot if there is one. If not, the claimant stands in line and
// is woken when it is its turn.
func (s *Slots) Take(c *Claim) bool {
	if c.granted > 0 {
		c.granted--
		return true
	}
	if c.queued {
		return false
	}
	if s.room(c) {
		s.grant(c)
		return true
	}
	s.tickets++
	c.ticket = s.tickets
	s.queue(c)
	return false
}

// Give gives a slot back and hands it to whoever has waited longest for it.
func (s *Slots) Give(c *Claim) {
	c.held--
	c.tenant.used--
	s.used--
	s.host(c).used--
	s.serve(c.host)
}

// Leave gives back whatever is set aside for a claimant that wants nothing
// more for now. Slots it uses are given back one by one.
func (s *Slots) Leave(c *Claim) {
	if c.queued {
		c.queued = false
		s.waiting, s.crowded = without(s.waiting, c), without(s.crowded, c)
		h := s.host(c)
		h.waiting = without(h.waiting, c)
	}
	for ; c.granted > 0; c.granted-- {
		s.Give(c)
	}
	if h := s.host(c); h.used == 0 && len(h.waiting) == 0 {
		delete(s.hosts, c.host)
	}
}

func (s *Slots) host(c *Claim) *hostSlots {
	h := s.hosts[c.host]
	if h == nil {
		h = &hostSlots{}
		s.hosts[c.host] = h
	}
	return h
}

func (s *Slots) room(c *Claim) bool {
	return s.used < s.inAll && s.roomOfTenant(c) && s.roomAtHost(c)
}

func (s *Slots) roomOfTenant(c *Claim) bool { return c.tenant.used < share*max(s.inAll-s.used, 1) }

func (s *Slots) roomAtHost(c *Claim) bool {
	free := s.perHost - s.host(c).used
	return free > 0 && c.held < share*free
}

func (s *Slots) grant(c *Claim) {
	c.held++
	c.tenant.used++
	s.used++
	s.host(c).used++
}

// queue puts a claimant behind those with earlier tickets: at its host, with those
// whose tenant has enough, or with those that wait for any slot, which it reports.
func (s *Slots) queue(c *Claim) (next bool) {
	c.queued = true
	line := &s.waiting
	switch {
	case !s.roomAtHost(c):
		line = &s.host(c).waiting
	case !s.roomOfTenant(c):
		line = &s.crowded
	}
	at := len(*line)
	for at > 0 && (*line)[at-1].ticket > c.ticket {
		at--
	}
	*line = append(*line, nil)
	copy((*line)[at+1:], (*line)[at:])
	(*line)[at] = c
	return line == &s.waiting
}

// serve hands out what is free after a slot of a host came back.
func (s *Slots) serve(host string) {
	s.advance(s.hosts[host])
	for s.disperse(); s.used < s.inAll && len(s.waiting) > 0; s.disperse() {
		c := s.waiting[0]
		s.waiting = s.waiting[1:]
		if !s.roomAtHost(c) || !s.roomOfTenant(c) {
			s.queue(c)           // with its host's or its tenant's, where it is first again
			s.advance(s.host(c)) // it may have stood there before one of another tenant
			continue
		}
		c.queued = false
		c.granted++
		s.grant(c)
		c.wake()
	}
}

// advance moves those who waited for room at a host, as many as there is room
// for, to those who wait for any slot.
func (s *Slots) advance(h *hostSlots) {
	if h == nil {
		return
	}
	free := s.perHost - h.used
	for i := 0; i < len(h.waiting) && free > 0; {
		c := h.waiting[i]
		if !s.roomAtHost(c) {
			i++
			continue
		}
		h.waiting = append(h.waiting[:i], h.waiting[i+1:]...)
		if s.queue(c) {
			free--
		}
	}
}

// disperse moves those whose tenant may have more to those who wait for any slot,
// as many as there are slots.
func (s *Slots) disperse() {
	free := s.inAll - s.used
	for i := 0; i < len(s.crowded) && free > 0; {
		c := s.crowded[i]
		if !s.roomOfTenant(c) {
			i++
			continue
		}
		s.crowded = append(s.crowded[:i], s.crowded[i+1:]...)
		if s.queue(c) {
			free--
		}
	}
}

func without(list []*Claim, c *Claim) []*Claim {
	for i, other := range list {
		if other == c {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}
