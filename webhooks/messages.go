package webhooks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/cursor"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// Messages reads what partners get from the log itself: nothing of it is kept
// anywhere else.
type Messages struct {
	Store     eventstore.Store
	Catalogue *message.Catalogue
	Cursors   *cursor.Codec
	// Feed opens a feed of the log, as Client.Feed of package eventstore does.
	Feed func(eventstore.FeedConfig) Feed
	// End returns where the log ends by now.
	End func(context.Context) (eventstore.Position, error)
	// Before returns a position after which everything is that was recorded at
	// a time or later, as Client.Before of package eventstore does.
	Before func(context.Context, time.Time) (eventstore.Position, error)
	Now    func() time.Time
	// MostPreviews is how many previews of one tenant may be under way at once;
	// 0 is any number.
	MostPreviews int

	previews seats
}

// Rules a reader of messages may be refused by.
var (
	ErrNoAggregate = domain.Rule("aggregate-not-found", "there is nothing of that id, or nothing of it is for you")
	ErrNoMessage   = domain.Rule("message-not-found", "there is no such message, or it is not for you; its aggregate, and type and sequence where they are given, must be those of the message")
)

// Viewer is who looks at messages: the shop, which sees all of them, or a
// partner, who sees what its endpoints may get.
type Viewer struct {
	TenantID string // "" is the shop
	Channels []string
	// Everybody is that the endpoints of all partners are there for the viewer,
	// too.
	Everybody bool
}

func (v Viewer) audience() *audience {
	return &audience{tenantID: v.TenantID, channels: v.Channels, types: []string{endpoint.AllTypes}}
}

// Aggregate names what messages are about.
type Aggregate struct {
	Type string `json:"type" example:"order"` // may be empty: then the first that has such an id
	ID   string `json:"id"`
}

// Page is a part of an aggregate's messages.
type Page struct {
	Messages []json.RawMessage
	// Skipped are those in between that cannot be made.
	Skipped []Skipped
	// Next is the sequence to go on after; 0 when there is nothing more.
	Next int
}

// Of returns messages of an aggregate that come after a sequence, at most so
// many, word for word as webhooks have them. Their previous counts for the
// endpoint where one is named, otherwise for everything the viewer may see.
func (s *Messages) Of(ctx context.Context, about Aggregate, after, most int, viewer Viewer, endpointID string) (Page, error) {
	audience := viewer.audience()
	if endpointID != "" {
		row, err := s.endpoint(ctx, endpointID, viewer)
		if err != nil {
			return Page{}, err
		}
		if audience, err = audienceOf(row); err != nil {
			return Page{}, err
		}
	}
	stream, err := s.stream(ctx, about)
	if err != nil {
		return Page{}, err
	}
	page, seen := Page{Messages: []json.RawMessage{}}, false
	err = s.walk(ctx, stream, audience, audience, func(r eventstore.Recorded, place message.Place) (bool, error) {
		seen = true
		if place.Sequence <= after {
			return true, nil
		}
		if len(page.Messages)+len(page.Skipped) == most {
			page.Next = after
			return false, nil
		}
		after = place.Sequence
		body, err := s.body(r, place, message.Message.Body)
		if isUnreadable(err) {
			page.Skipped = append(page.Skipped, skipped(r, s.Catalogue.Published(r.Type), place))
			return true, nil
		}
		page.Messages = append(page.Messages, body)
		return true, err
	})
	if err == nil && !seen {
		err = ErrNoAggregate
	}
	return page, err
}

// One returns a message whole, however large it is, with the previous of an
// endpoint if one is named: also of one that was deleted since, or that wants
// no such messages any more. Its id is that of the first time, unless the
// endpoint is named and had it under the other one of a replay.
func (s *Messages) One(ctx context.Context, about Aggregate, sequence int, id string, viewer Viewer, endpointID string) (json.RawMessage, error) {
	numbers, sent := viewer.audience(), EventOf(id)
	if endpointID != "" {
		row, state, err := s.owned(ctx, endpointID, viewer)
		if err != nil {
			return nil, err
		}
		if numbers, err = audienceOf(row); err != nil {
			return nil, err
		}
		had, err := gave(ctx, s.Store, state, id)
		if sent = id; err != nil || !had {
			return nil, cmp.Or(err, error(ErrNoMessage))
		}
	}
	stream, err := s.stream(ctx, about)
	if errors.Is(err, ErrNoAggregate) {
		err = ErrNoMessage
	}
	if err != nil {
		return nil, err
	}
	found, err := s.one(ctx, stream, sequence, sent, viewer.audience(), numbers)
	if err == nil && found == nil && strings.HasPrefix(stream, endpoint.Decider.Category+"-") {
		found, err = s.private(ctx, stream, sequence, sent, viewer)
	}
	if err == nil && found == nil {
		err = ErrNoMessage
	}
	return found, err
}

// one returns a message under the id that it was sent with; nil where there is
// none for the audience. A sequence of 0 is any.
func (s *Messages) one(ctx context.Context, stream string, sequence int, id string, to, numbers *audience) (found json.RawMessage, err error) {
	event := EventOf(id)
	whole := func(m message.Message, at message.Place) ([]byte, error) {
		m.ID = id
		return m.Whole(at)
	}
	err = s.walk(ctx, stream, to, numbers, func(r eventstore.Recorded, place message.Place) (bool, error) {
		if r.ID.String() != event || (sequence > 0 && place.Sequence != sequence) {
			return sequence == 0 || place.Sequence < sequence, nil
		}
		var err error
		found, err = s.body(r, place, whole)
		if isUnreadable(err) {
			err = ErrUnreadable
		}
		return false, err
	})
	return found, err
}

// private returns a message that only the endpoint it is about got, such as
// endpoint.test, to whoever owns that.
func (s *Messages) private(ctx context.Context, stream string, sequence int, id string, viewer Viewer) (json.RawMessage, error) {
	row, err := s.endpoint(ctx, message.AggregateID(stream), viewer)
	if errors.Is(err, endpoint.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	to, err := audienceOf(row)
	if err != nil {
		return nil, err
	}
	return s.one(ctx, stream, sequence, id, to, to)
}

// stream finds the stream of an aggregate.
func (s *Messages) stream(ctx context.Context, about Aggregate) (string, error) {
	for _, prefix := range s.prefixes(about.Type) {
		for _, err := range s.Store.ReadStream(ctx, prefix+about.ID, 0) {
			return prefix + about.ID, err
		}
	}
	return "", ErrNoAggregate
}

// prefixes has that of orders first: those are asked for most.
func (s *Messages) prefixes(of string) []string {
	if of != "" {
		return s.Catalogue.PrefixesOf(of)
	}
	prefixes := s.Catalogue.Prefixes()
	slices.SortStableFunc(prefixes, func(a, b string) int {
		if (a == "order-") == (b == "order-") {
			return 0
		}
		if a == "order-" {
			return -1
		}
		return 1
	})
	return prefixes
}

// walk goes through the messages of a stream that an audience wants, until it
// is told to stop. Their previous counts those that the other one wants.
func (s *Messages) walk(ctx context.Context, stream string, to, numbers *audience, visit func(eventstore.Recorded, message.Place) (bool, error)) error {
	var p streamPast
	h, err := newHistory(s.Store, s.Catalogue, 1)
	if err != nil {
		return err
	}
	previous := 0
	for r, err := range s.Store.ReadStream(ctx, stream, 0) {
		if err != nil {
			return fmt.Errorf("read %s: %w", stream, err)
		}
		before := len(p.events)
		p = h.extend(p, r, true)
		if len(p.events) == before {
			continue
		}
		id, e := message.AggregateID(stream), p.events[before]
		place := message.Place{Sequence: len(p.events), Previous: previous, EndpointID: numbers.endpointID}
		if numbers.counts(id, e) {
			previous = len(p.events)
		}
		if !to.counts(id, e) {
			continue
		}
		if r.Position > 0 { // a stream does not tell it everywhere
			place.Cursor = s.Cursors.Encode(ScopeOf(numbers.tenantID), r.Position)
		}
		if on, err := visit(r, place); err != nil || !on {
			return err
		}
	}
	return nil
}

func (s *Messages) body(r eventstore.Recorded, place message.Place, form func(message.Message, message.Place) ([]byte, error)) (json.RawMessage, error) {
	msg, err := s.Catalogue.Build(r)
	if err != nil {
		return nil, err
	}
	return form(msg, place)
}

// endpoint returns what an endpoint asked for. To a viewer who does not own it
// there is no such endpoint.
func (s *Messages) endpoint(ctx context.Context, id string, viewer Viewer) (ledger.Endpoint, error) {
	row, state, err := s.owned(ctx, id, viewer)
	if err == nil && !state.Exists() {
		err = endpoint.ErrNotFound
	}
	return row, err
}

// owned is endpoint for one that may be deleted by now.
func (s *Messages) owned(ctx context.Context, id string, viewer Viewer) (ledger.Endpoint, endpoint.State, error) {
	state, _, err := eventstore.Load(ctx, s.Store, endpoint.Decider, id)
	if err == nil && (state.Status == "" || (!viewer.Everybody && state.TenantID != viewer.TenantID)) {
		err = endpoint.ErrNotFound
	}
	return ledger.Endpoint{ID: state.ID, TenantID: state.TenantID, Channels: state.Channels, Settings: state.Settings}, state, err
}
