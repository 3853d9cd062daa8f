package webhooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// Selection is what somebody reads of the public events.
type Selection struct {
	// EndpointID reads what an endpoint is sent, with the same numbers; it
	// brings what the fields below say.
	EndpointID string
	// EventTypes are public types; none is every one. Filter is an expression
	// as an endpoint may have.
	EventTypes []string
	Filter     string
	// TenantID is the partner who reads, "" the shop itself. A partner reads of
	// the orders of its sales channels only.
	TenantID string
	Channels []string
}

// Pulled is a piece of the public log.
type Pulled struct {
	// Messages are as they are sent to endpoints, byte for byte.
	Messages []PulledMessage
	// Through is the cursor to go on after, also where no message was.
	Through string
	// More says that the end of the log was not reached.
	More bool
}

// PulledMessage is one message.
type PulledMessage struct {
	ID, Type, Cursor string
	Body             []byte
	// Skipped stands instead of a body where the message cannot be made.
	Skipped *Skipped
}

// ErrNotReading says that this process has yet to begin to read the log.
var ErrNotReading = fmt.Errorf("the public log is not read yet: %w", eventstore.ErrUnavailable)

// ErrNotKnown says that an endpoint of the log has yet to come to the ledger: it
// was created this moment, or the ledger is being filled again.
var ErrNotKnown = fmt.Errorf("the endpoint is not served yet: %w", eventstore.ErrUnavailable)

// Follow reads the end of the log for those who pull, in a process that
// delivers nothing. It returns when the context ends.
func (d *Dispatcher) Follow(ctx context.Context) error {
	if err := d.open(); err != nil {
		return err
	}
	start, err := d.Ledger.Furthest(ctx)
	if err != nil {
		return err
	}
	shared := newHub(d.cfg.Ring, d.cfg.RingBytes, start)
	d.hub.Store(shared)
	shared.run(ctx, d)
	return nil
}

// Puller reads the public log for one reader, who need not be an endpoint. It
// reads the log by itself while the reader is behind; who is up to date waits
// for what is read for all.
type Puller struct {
	// Impatient lets Next return at the end of the log without a message.
	Impatient bool

	d      *Dispatcher
	what   Selection
	to     *target
	at     eventstore.Position
	left   batch
	leave  func() // gives back that it reads
	feed   Feed   // while behind
	behind func() // gives back that it is
	looked time.Time
}

// Pull begins to read after a cursor, a time, [Beginning], or [End]. Close it
// after use. [ErrTooManyAtOnce] says that the tenant reads too much already.
func (d *Dispatcher) Pull(ctx context.Context, from string, what Selection) (*Puller, error) {
	if d.hub.Load() == nil {
		return nil, ErrNotReading
	}
	to, err := d.selected(ctx, what)
	if err != nil {
		return nil, err
	}
	p := &Puller{d: d, what: what, to: to}
	if p.at, err = d.begin(ctx, to.TenantID, from); err != nil {
		return nil, err
	}
	p.left.through = p.at
	if p.leave, err = d.readers.take(d.cfg.Readers, what.TenantID); err != nil {
		return nil, err
	}
	if d.hub.Load().covers(p.at) {
		return p, nil
	}
	if err := p.fallBehind(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// End stands for the place after the last event.
const End = "now"

// ErrPlace says that a text names no place in the log.
var ErrPlace = errors.New(`no place in the log: give a cursor, a time such as 2026-08-01T00:00:00Z, "beginning" or "now"`)

func (d *Dispatcher) begin(ctx context.Context, tenantID, from string) (eventstore.Position, error) {
	switch from {
	case "", Beginning:
		return 0, nil
	case End:
		return d.head(), nil
	}
	if at, err := time.Parse(time.RFC3339Nano, from); err == nil {
		return d.positionAt(ctx, at)
	}
	position, err := d.cursors.Decode(ScopeOf(tenantID), from)
	if err != nil {
		return 0, ErrPlace
	}
	return position, d.within(ctx, position)
}

// ErrBeyond says that the log ends before a place that it was to have. What is
// recorded from then on comes before that place, too: whoever went on after it
// would miss that without a word.
var ErrBeyond = errors.New("the log ends before this place, as one does that came from a backup: begin at a time from before that, or at the beginning")

// within says whether the log has a place: this process may have read less of
// it than the one that told of the place.
func (d *Dispatcher) within(ctx context.Context, position eventstore.Position) error {
	if position <= d.head() {
		return nil
	}
	end, err := d.End(ctx)
	if err == nil && position > end {
		err = ErrBeyond
	}
	return err
}

// positionAt finds the place before the first public event of a time or later:
// in memory if it is recent.
func (d *Dispatcher) positionAt(ctx context.Context, at time.Time) (eventstore.Position, error) {
	if position, ok := d.hub.Load().at(at); ok {
		return position, nil
	}
	return d.Before(ctx, at)
}

// at is positionAt for what is in memory.
func (h *hub) at(at time.Time) (eventstore.Position, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.items) == 0 || !h.items[0].Created.Before(at) {
		return 0, false
	}
	before := h.items[0].Position
	for _, it := range h.items[1:] {
		if !it.Created.Before(at) {
			return before, true
		}
		before = it.Position
	}
	return h.head, true
}

// selected makes an audience of a selection.
func (d *Dispatcher) selected(ctx context.Context, what Selection) (*target, error) {
	to := &target{}
	for _, name := range what.EventTypes {
		if !slices.Contains(d.Catalogue.Types(), name) && name != endpoint.AllTypes {
			return nil, fmt.Errorf("%w: there is no event type %q", ErrSelection, name)
		}
	}
	if what.EndpointID == "" {
		to.EventTypes, to.Filter = what.EventTypes, what.Filter
		to.TenantID, to.Channels = what.TenantID, what.Channels
		if len(to.EventTypes) == 0 {
			to.EventTypes = []string{endpoint.AllTypes}
		}
	} else {
		row, err := served(ctx, func() (ledger.Endpoint, bool, error) { return d.Ledger.Endpoint(ctx, what.EndpointID) })
		if err != nil {
			return nil, err
		}
		to.Endpoint = row
		if len(what.EventTypes) > 0 || what.Filter != "" {
			return nil, fmt.Errorf("%w: an endpoint brings its own types and filter", ErrSelection)
		}
	}
	var err error
	if to.audience, err = audienceOf(to.Endpoint); err != nil {
		return nil, fmt.Errorf("%w: the filter cannot be read: %w", ErrSelection, err)
	}
	return to, nil
}

// ErrSelection says that nobody can read such a selection.
var ErrSelection = errors.New("nothing can be selected so")

// Close gives back what reading needed.
func (p *Puller) Close() {
	p.catchUp()
	p.leave()
}

// catchUp gives back what reading of the past needed.
func (p *Puller) catchUp() {
	if p.feed != nil {
		p.feed.Close()
		p.behind()
		p.feed = nil
	}
}

// fallBehind begins to read the log by itself, as no more than so many of a
// tenant may.
func (p *Puller) fallBehind() (err error) {
	if p.behind, err = p.d.behind.take(p.d.cfg.PastReaders, p.what.TenantID); err == nil {
		p.feed = p.d.feed(p.at)
	}
	return err
}

// ErrChosenOtherwise says that the endpoint whose messages are read was changed
// or deleted: whoever reads on gets what it wanted before.
var ErrChosenOtherwise = errors.New("the endpoint was changed since reading began")

// lookAgain is how often an endpoint is looked at whose messages are read.
const lookAgain = time.Second

// holds returns [ErrChosenOtherwise] when it is time to begin anew where the
// reader is. It looks once a second.
func (p *Puller) holds(ctx context.Context) error {
	now := p.d.Now()
	if p.what.EndpointID == "" || now.Sub(p.looked) < lookAgain {
		return nil
	}
	p.looked = now
	row, ok, err := p.d.Ledger.Endpoint(ctx, p.what.EndpointID)
	if err == nil && (!ok || !row.Equal(p.to.Settings) || !slices.Equal(row.Channels, p.to.Channels)) {
		err = ErrChosenOtherwise
	}
	return err
}

// soon is when to look again at the latest.
func (p *Puller) soon() <-chan time.Time {
	if p.what.EndpointID == "" {
		return nil
	}
	return time.After(lookAgain)
}

// Cursor is where the reader is.
func (p *Puller) Cursor() string { return p.d.cursors.Encode(ScopeOf(p.to.TenantID), p.at) }

// Behind says that there is something to read at once.
func (p *Puller) Behind() bool { return p.at < p.d.head() }

// mostPulled bounds the bytes of messages at once: 500 large ones would be
// 128 MB for each reader.
const mostPulled = 4 << 20

// Next returns up to most messages, at least one of them unless the context
// ends first: what was passed over until then is in Through, and there is no
// error. [ErrChosenOtherwise] says that there is nothing more by this choice.
func (p *Puller) Next(ctx context.Context, most int) (Pulled, error) {
	var pulled Pulled
	for bytes := 0; len(pulled.Messages) < most && bytes < mostPulled; {
		if len(p.left.items) == 0 {
			p.at = max(p.at, p.left.through)
			if (len(pulled.Messages) > 0 || p.Impatient) && p.at >= p.d.head() {
				break // who has something does not wait for more
			}
			next, err := p.read(ctx, most)
			if err != nil {
				if len(pulled.Messages) == 0 && ctx.Err() == nil {
					return Pulled{}, err
				}
				break
			}
			p.left = next
			continue
		}
		it := p.left.items[0]
		m, wanted, err := p.message(ctx, it)
		if isUnreadable(err) {
			p.d.complainOf(ctx, it.ID.String(), it.Stream, err)
			m, wanted, err = p.skipped(ctx, it, err)
		}
		if err != nil {
			if len(pulled.Messages) == 0 && ctx.Err() == nil {
				return Pulled{}, err
			}
			break
		}
		p.left.items = p.left.items[1:]
		p.at = it.Position
		if wanted {
			pulled.Messages = append(pulled.Messages, m)
			bytes += len(m.Body)
		}
	}
	if len(p.left.items) == 0 {
		p.at = max(p.at, p.left.through)
	}
	pulled.Through, pulled.More = p.Cursor(), p.at < p.d.head()
	return pulled, nil
}

func (p *Puller) message(ctx context.Context, it *item) (PulledMessage, bool, error) {
	wanted, err := p.d.history.wanted(ctx, it.Recorded, p.to.audience)
	if err != nil || !wanted {
		return PulledMessage{}, false, err
	}
	msg, err := it.message(p.d.Catalogue)
	if err != nil {
		return PulledMessage{}, false, err
	}
	place, err := p.d.place(ctx, p.to, it)
	if err != nil {
		return PulledMessage{}, false, err
	}
	body, err := msg.Body(place)
	return PulledMessage{ID: msg.ID, Type: msg.Public, Cursor: place.Cursor, Body: body}, true, err
}

// skipped stands for a message that cannot be made: the reader goes on without
// it and knows. Of what may be somebody else's nothing is told.
func (p *Puller) skipped(ctx context.Context, it *item, why error) (PulledMessage, bool, error) {
	if errors.Is(why, errOwnerless) {
		return PulledMessage{}, false, nil
	}
	place, err := p.d.place(ctx, p.to, it)
	if err != nil && !isUnreadable(err) {
		return PulledMessage{}, false, err
	}
	note := skipped(it.Recorded, &it.kind, place)
	return PulledMessage{ID: note.ID, Type: note.Type, Cursor: note.Cursor, Skipped: &note}, true, nil
}

// read waits for a piece of the log: of what is read for all, or of its own
// feed while it is behind that.
func (p *Puller) read(ctx context.Context, most int) (batch, error) {
	for ctx.Err() == nil {
		if err := p.holds(ctx); err != nil {
			return batch{}, err
		}
		next, changed, ok := p.d.hub.Load().after(p.at, most)
		if !ok {
			return p.readBehind(ctx)
		}
		p.catchUp()
		if next.through > p.at {
			return next, nil
		}
		select {
		case <-changed:
		case <-p.soon():
		case <-ctx.Done():
		}
	}
	return batch{}, ctx.Err()
}

func (p *Puller) readBehind(ctx context.Context) (batch, error) {
	if p.feed == nil {
		if err := p.fallBehind(); err != nil {
			return batch{}, err
		}
	}
	page, err := p.feed.Next(ctx)
	if err != nil {
		return batch{}, err
	}
	return batch{items: itemsOf(p.d.Catalogue, page.Events), through: page.Through}, nil
}
