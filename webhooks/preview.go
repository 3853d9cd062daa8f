package webhooks

import (
	"context"
	"encoding/json"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/filter"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// PreviewRequest asks what an endpoint would have been sent.
type PreviewRequest struct {
	EndpointID string // whose tenant and channels count
	Viewer     Viewer
	EventTypes []string // none are the endpoint's own
	Filter     string   // CEL; empty lets everything through
	Since      time.Time
	Examples   int           // how many of the last messages to show
	Within     time.Duration // how long the answer may take
}

// ErrPreview says that there can be no such endpoint.
var ErrPreview = domain.Rule("invalid-preview", "these event types or this filter cannot be tried: an endpoint cannot have them")

// Preview is how far history was read, and what would have been sent of it.
type Preview struct {
	Matched, Public int // messages that would have been sent, and all since then
	ByType          map[string]int
	Failed          int    // let through because the filter could not be evaluated
	Failure         string // of the last of them
	Examples        []json.RawMessage
	// Complete says that everything since then was read. Otherwise the numbers
	// are of what happened up to ReadUntil, whose place is Cursor.
	Complete  bool
	ReadUntil time.Time
	Cursor    string
	// Progress is the share of the log since then that was read, from 0 to 1.
	Progress float64
	Took     time.Duration
}

const previewStreams = 1 << 13

// Preview goes through history with what an endpoint might ask for, and stops
// when the time is up. Nothing is sent. [ErrTooManyAtOnce] says that the viewer
// has others under way.
func (s *Messages) Preview(ctx context.Context, ask PreviewRequest) (Preview, error) {
	row, err := s.endpoint(ctx, ask.EndpointID, ask.Viewer)
	if err != nil {
		return Preview{}, err
	}
	if row.Filter = ask.Filter; len(ask.EventTypes) > 0 {
		row.EventTypes = ask.EventTypes
	}
	limits := endpoint.Limits{KnownTypes: s.Catalogue.Types(), CheckFilter: filter.Check}
	if mistakes := limits.CheckWishes(row.EventTypes, row.Filter); len(mistakes) > 0 {
		return Preview{}, ErrPreview.Because(mistakes...)
	}
	to, err := audienceOf(row)
	if err != nil {
		return Preview{}, err
	}
	leave, err := s.previews.take(s.MostPreviews, ask.Viewer.TenantID)
	if err != nil {
		return Preview{}, err
	}
	defer leave()
	h, err := newHistory(s.Store, s.Catalogue, previewStreams)
	if err != nil {
		return Preview{}, err
	}
	h.folding.Store(true)
	began := s.Now()
	end, err := s.End(ctx)
	if err != nil {
		return Preview{}, err
	}
	reading, stop := context.WithTimeout(ctx, ask.Within)
	defer stop()
	p := &preview{s: s, h: h, to: to, ask: ask, end: end, Preview: Preview{ByType: map[string]int{}}}
	if !ask.Since.IsZero() {
		if p.begin, err = s.Before(ctx, ask.Since); err != nil {
			return Preview{}, err
		}
	}
	p.Complete = p.begin >= end
	err = p.read(reading)
	if ctx.Err() == nil && reading.Err() != nil {
		err = nil // the time is up
	}
	p.Took = s.Now().Sub(began)
	return p.finished(), err
}

type preview struct {
	Preview
	s   *Messages
	h   *history
	to  *audience
	ask PreviewRequest
	// It reads what comes after begin, up to and with end.
	begin, end eventstore.Position
	last       []shown // the last that match
}

type shown struct {
	eventstore.Recorded
	place message.Place
}

func (p *preview) read(ctx context.Context) error {
	feed := p.s.Feed(eventstore.FeedConfig{Prefixes: p.s.Catalogue.Prefixes(), From: p.begin})
	defer feed.Close()
	for !p.Complete {
		page, err := feed.Next(ctx)
		if err != nil {
			return err
		}
		for _, r := range page.Events {
			if r.Position > p.end || ctx.Err() != nil {
				break
			}
			p.h.observe(r)
			p.ReadUntil, p.Cursor = r.Created, p.s.Cursors.Encode(ScopeOf(p.to.tenantID), r.Position)
			p.Progress = float64(r.Position-p.begin) / float64(p.end-p.begin)
			if r.Created.Before(p.ask.Since) {
				continue
			}
			if err := p.judge(ctx, r); err != nil {
				return err
			}
		}
		p.Complete = ctx.Err() == nil && (page.Live || page.Through >= p.end)
	}
	return nil
}

func (p *preview) judge(ctx context.Context, r eventstore.Recorded) error {
	kind := p.h.catalogue.Published(r.Type)
	if kind == nil || kind.Private {
		return nil
	}
	e, err := p.h.event(ctx, r)
	if err != nil {
		return err
	}
	id := message.AggregateID(r.Stream)
	unfiltered := *p.to
	unfiltered.filter, unfiltered.types = nil, []string{"*"}
	if !unfiltered.wants(id, e) {
		return nil // it is none of the endpoint's business
	}
	p.Public++
	if wanted, err := p.to.judge(id, e); err != nil {
		p.Failed++
		p.Failure = err.Error()
		return nil
	} else if !wanted {
		return nil
	}
	p.Matched++
	p.ByType[kind.Public]++
	p.noteFailure(id, e)
	sequence, previous, err := p.h.place(ctx, r, p.to)
	p.last = append(p.last, shown{r, message.Place{Sequence: sequence, Previous: previous, EndpointID: p.to.endpointID, Cursor: p.Cursor}})
	p.last = p.last[max(0, len(p.last)-p.ask.Examples):]
	return err
}

func (p *preview) noteFailure(id string, e publicEvent) {
	if p.to.filter == nil {
		return
	}
	_, err := p.to.filter.Evaluate(filter.Event{
		Type: e.kind.Public, Aggregate: e.kind.Aggregate, AggregateID: id, Attributes: e.attributes, Detail: e.detail,
	})
	if err != nil {
		p.Failed++
		p.Failure = err.Error()
	}
}

func (p *preview) finished() Preview {
	p.Examples = []json.RawMessage{}
	for _, m := range p.last {
		if body, err := p.s.body(m.Recorded, m.place, message.Message.Body); err == nil {
			p.Examples = append(p.Examples, body)
		}
	}
	if p.Complete {
		p.Progress = 1
	}
	return p.Preview
}
