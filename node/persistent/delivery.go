package persistent

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

func (g *group) join(c *Client) error {
	if limit := g.definition.Settings.MaxClients; limit > 0 && len(g.clients) >= limit {
		return g.error(Full)
	}
	if g.dead {
		c.drop(g.error(Dropped))
		return nil
	}
	c.measured.start(g.now())
	g.clients[c] = struct{}{}
	g.strategy.add(c)
	return nil
}

// leave gives what the client had to the others. That it left says nothing
// about the messages: they are not parked for it.
func (g *group) leave(c *Client) {
	if _, ok := g.clients[c]; !ok {
		return
	}
	for _, m := range g.heldBy(c) {
		g.release(m)
		g.retry(m)
	}
	delete(g.clients, c)
	g.strategy.remove(c)
}

func (g *group) dropAll() {
	for c := range g.clients {
		g.leave(c)
		c.drop(g.error(Dropped))
	}
}

func (g *group) heldBy(c *Client) []*message {
	return g.heldWhere(func(m *message) bool { return m.client == c })
}

func (g *group) heldWhere(is func(*message) bool) []*message {
	var list []*message
	for _, same := range g.held {
		for _, m := range same {
			if is(m) {
				list = append(list, m)
			}
		}
	}
	slices.SortFunc(list, func(a, b *message) int { return cmp.Compare(a.at, b.at) })
	return list
}

// give hands out messages, those that come again first.
func (g *group) give() {
	if len(g.clients) > 0 && g.retries.offer(g.send) {
		g.buffer.offer(g.send)
	}
}

func (g *group) send(m *message) outcome {
	c, result := g.strategy.choose(m)
	if result != sent {
		return result
	}
	now := g.now()
	m.client, m.since, m.expires = c, now, now.Add(g.definition.Settings.MessageTimeout)
	c.inFlight++
	g.held[m.id()] = append(g.held[m.id()], m)
	g.strategy.sent(c, m)
	g.measured.total++
	c.measured.total++
	c.push(m)
	return sent
}

// release takes a message from the client that has it.
func (g *group) release(m *message) {
	c := m.client
	m.client = nil
	c.inFlight--
	c.forget(m)
	g.strategy.released(c, m)
	if g.definition.Settings.ExtraStatistics {
		c.measured.latency(g.now().Sub(m.since))
	}
	same := slices.DeleteFunc(g.held[m.id()], func(other *message) bool { return other == m })
	if len(same) == 0 {
		delete(g.held, m.id())
		return
	}
	g.held[m.id()] = same
}

// take releases the message with that id: the one c has, when events share an
// id, and otherwise whoever has it. It is nil when nobody does.
func (g *group) take(c *Client, id uuid.UUID) *message {
	same := g.held[id]
	if len(same) == 0 {
		return nil
	}
	m := same[0]
	if i := slices.IndexFunc(same, func(m *message) bool { return m.client == c }); i >= 0 {
		m = same[i]
	}
	g.release(m)
	return m
}

func (g *group) ack(c *Client, ids []uuid.UUID) {
	for _, id := range ids {
		if m := g.take(c, id); m != nil {
			g.complete(m)
		}
	}
}

func (g *group) nack(c *Client, action Action, reason string, ids []uuid.UUID) {
	for _, id := range ids {
		m := g.take(c, id)
		if m == nil {
			continue
		}
		switch action {
		case ActionUnknown, ActionRetry:
			g.retryOrPark(m)
		case ActionPark:
			g.parking.add(g.parked(m, "Client explicitly NAK'ed message.\n"+reason))
		default:
			g.complete(m)
		}
	}
}

// complete forgets a message that is done.
func (g *group) complete(m *message) {
	if m.replayed {
		g.replay.undone.remove(m)
		return
	}
	g.undone.remove(m)
}

func (g *group) retry(m *message) {
	m.retries++
	g.retries.insert(m)
}

func (g *group) retryOrPark(m *message) {
	limit := g.definition.Settings.MaxRetries
	if m.retries < limit {
		g.retry(m)
		return
	}
	g.parking.add(g.parked(m, fmt.Sprintf("Reached retry count of %d", limit)))
}

// expire takes back what clients have had for too long.
func (g *group) expire() {
	now := g.now()
	for _, m := range g.heldWhere(func(m *message) bool { return !m.expires.After(now) }) {
		g.release(m)
		g.retryOrPark(m)
	}
}
