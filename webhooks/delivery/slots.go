package delivery

// Slots shares out attempts under way among claimants, which are endpoints:
// at most so many per target host and in all. It promises that nobody waits
// while there is room, that those who wait for the same come in turn whatever
// they have to send, and that nobody can take so much of a host that others
// get nothing: a claimant holds at most [share] times what it leaves free.
// It is not safe for concurrent use.
type Slots struct {
	perHost, inAll int

	used    int
	hosts   map[string]*hostSlots
	waiting []*Claim // for a slot of any host
	tickets uint64
}

type hostSlots struct {
	used    int
	waiting []*Claim
}

// share is how many times what is free of a host one claimant may hold: alone
// it gets eight ninths, and whoever comes second is never too late.
const share = 8

// Claim is one endpoint's part in the slots.
type Claim struct {
	host    string
	held    int
	granted int // of held, set aside for when it comes back
	queued  bool
	ticket  uint64
	wake    func()
}

// NewSlots makes slots for a number of attempts per host and in all.
func NewSlots(perHost, inAll int) *Slots {
	return &Slots{perHost: perHost, inAll: inAll, hosts: map[string]*hostSlots{}}
}

// Claim enters a claimant. Wake is called while a slot is handed out: it must
// not call back.
func (s *Slots) Claim(host string, wake func()) *Claim {
	return &Claim{host: host, wake: wake}
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
	s.used--
	s.host(c).used--
	s.serve(c.host)
}

// Leave gives back whatever is set aside for a claimant that wants nothing
// more for now. Slots it uses are given back one by one.
func (s *Slots) Leave(c *Claim) {
	if c.queued {
		c.queued = false
		s.waiting = without(s.waiting, c)
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

func (s *Slots) room(c *Claim) bool { return s.used < s.inAll && s.roomAtHost(c) }

func (s *Slots) roomAtHost(c *Claim) bool {
	free := s.perHost - s.host(c).used
	return free > 0 && c.held < share*free
}

func (s *Slots) grant(c *Claim) {
	c.held++
	s.used++
	s.host(c).used++
}

// queue puts a claimant behind those with earlier tickets: at its host, or
// with those that wait for any slot if its host has room.
func (s *Slots) queue(c *Claim) {
	c.queued = true
	line := &s.waiting
	if !s.roomAtHost(c) {
		line = &s.host(c).waiting
	}
	at := len(*line)
	for at > 0 && (*line)[at-1].ticket > c.ticket {
		at--
	}
	*line = append(*line, nil)
	copy((*line)[at+1:], (*line)[at:])
	(*line)[at] = c
}

// serve hands out what is free after a slot of a host came back.
func (s *Slots) serve(host string) {
	s.advance(s.hosts[host])
	for s.used < s.inAll && len(s.waiting) > 0 {
		c := s.waiting[0]
		s.waiting = s.waiting[1:]
		if !s.roomAtHost(c) {
			s.queue(c) // at its host, where it is first again
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
		s.queue(c)
		free--
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
