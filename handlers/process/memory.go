package process

import (
	"context"
	"time"
)

// What a processor remembers is for speed only: the log decides.

// wanted reports whether a task is to be looked at.
func (p *Processor) wanted(ctx context.Context, t Task, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Handlers[t.Kind] == nil {
		if !p.warned[t.Kind] {
			p.warned = set(p.warned, t.Kind, true)
			p.Logger.WarnContext(ctx, "nobody does tasks of this kind", "kind", t.Kind, "order", t.OrderID)
		}
		return false
	}
	return !p.busy[t.OrderID] && !p.held[held{t.OrderID, t.Key(), t.Cause}].After(now)
}

// hold leaves a task alone until a time.
func (p *Processor) hold(t Task, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = set(p.held, held{t.OrderID, t.Key(), t.Cause}, until)
	if now := p.Now(); now.Sub(p.purged) > 5*settle {
		p.purged = now
		for key, until := range p.held {
			if !until.After(now) {
				delete(p.held, key)
			}
		}
	}
}

func (p *Processor) occupy(orderID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = set(p.busy, orderID, true)
}

func (p *Processor) leave(orderID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, orderID)
}

func (p *Processor) pause(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = until
}

func (p *Processor) pausing(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.paused.After(now)
}

func set[K comparable, V any](m map[K]V, key K, value V) map[K]V {
	if m == nil {
		m = map[K]V{}
	}
	m[key] = value
	return m
}
