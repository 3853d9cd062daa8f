package persistent

import (
	"encoding/json"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/node"
)

const buckets = 1024

// pinned spreads names over buckets and gives each bucket to one client, so
// that what has the same name goes to the same client for as long as it is
// there.
type pinned struct {
	name    func(*message) string
	clients []*Client
	buckets [buckets]bucket
}

type bucket struct {
	client   *Client // nil is nobody yet
	inFlight int     // of that client
}

func newPinned(name func(*message) string) *pinned { return &pinned{name: name} }

// add gives the new client its share of the buckets, those that nobody works on
// first.
func (p *pinned) add(c *Client) {
	p.clients = append(p.clients, c)
	share := p.share()
	owned := p.owned()
	for _, busy := range [...]bool{false, true} {
		for i := range p.buckets {
			b := &p.buckets[i]
			if b.client == nil || owned[b.client] <= share || (b.inFlight > 0) != busy {
				continue
			}
			owned[b.client]--
			*b = bucket{client: c}
		}
	}
}

// share is how many buckets a client has at most when all have equally many.
func (p *pinned) share() int {
	assigned := 0
	for i := range p.buckets {
		if p.buckets[i].client != nil {
			assigned++
		}
	}
	return (assigned + len(p.clients) - 1) / len(p.clients)
}

func (p *pinned) owned() map[*Client]int {
	owned := map[*Client]int{}
	for i := range p.buckets {
		if c := p.buckets[i].client; c != nil {
			owned[c]++
		}
	}
	return owned
}

func (p *pinned) remove(c *Client) {
	p.clients = slices.DeleteFunc(p.clients, func(other *Client) bool { return other == c })
	for i := range p.buckets {
		if p.buckets[i].client == c {
			p.buckets[i] = bucket{}
		}
	}
}

func (p *pinned) choose(m *message) (*Client, outcome) {
	if !slices.ContainsFunc(p.clients, func(c *Client) bool { return c.free() > 0 }) {
		return nil, full
	}
	b := p.bucket(m)
	if b.client == nil {
		b.client = p.leastBusy()
	}
	if b.client.free() <= 0 {
		return nil, skipped
	}
	return b.client, sent
}

func (p *pinned) leastBusy() *Client {
	owned := p.owned()
	return slices.MinFunc(p.clients, func(a, b *Client) int { return owned[a] - owned[b] })
}

func (p *pinned) sent(_ *Client, m *message) { p.bucket(m).inFlight++ }

func (p *pinned) released(c *Client, m *message) {
	// The bucket may have gone to another client since.
	if b := p.bucket(m); b.client == c && b.inFlight > 0 {
		b.inFlight--
	}
}

func (p *pinned) bucket(m *message) *bucket {
	if !m.hashed {
		h := fnv.New32a()
		_, _ = h.Write([]byte(p.name(m)))
		m.hash, m.hashed = h.Sum32(), true
	}
	return &p.buckets[m.hash%buckets]
}

// streamOf is the stream an event was written to, also when only a link to it
// is left.
func streamOf(m *message) string {
	r := m.event
	if r == nil {
		r = m.link
	}
	if r.Type != node.TypeLink {
		return r.Stream
	}
	data := string(r.Data)
	if _, stream, ok := strings.Cut(data, "@"); ok {
		return stream
	}
	return data
}

func correlationOf(m *message) string {
	r := m.event
	if r == nil {
		r = m.link
	}
	var fields struct {
		ID any `json:"$correlationId"`
	}
	if err := json.Unmarshal(r.Metadata, &fields); err == nil {
		if id, ok := fields.ID.(string); ok {
			return id
		}
	}
	return streamOf(m)
}
