// Package message turns stored events into what partners get to see. Public
// types are a contract of their own: a stored event may change its schema, a
// public message keeps its version's form. It promises that the same event
// yields the same bytes for ever, and that no personal data is among them.
package message

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
)

// Kind says how one stored event is published.
type Kind struct {
	Stored    string // the stored name
	Public    string // the public type
	Version   int    // of the public form of the data
	Aggregate string // what it is about
	Category  string // of its streams; the same as Aggregate unless set
	// Private kinds go to the endpoint they are about and to no other.
	Private bool
	// Operational kinds tell about an endpoint: they go to the other endpoints
	// of its tenant that ask for them, and never to the one they are about.
	Operational bool
	// Shared kinds belong to no sales channel and go to the endpoints of every
	// tenant that asks for them.
	Shared bool
	// Personal kinds carry contact and addresses to endpoints that get them.
	Personal bool
	// Sent says when it is sent, Promise what a receiver may rely on: sentences
	// for partners.
	Sent, Promise string
	// Data makes the public data of an event.
	Data func(domain.Event) (any, error)
	// Form is a zero value of what Data makes.
	Form any
}

// Catalogue knows the kinds by stored name.
type Catalogue struct {
	// Fold and Detail tell what messages may be chosen by: [Fold] and [Detail]
	// unless replaced before the catalogue is used.
	Fold   func(*Attributes, domain.Event) *Attributes
	Detail func(domain.Event) string
	// Matters says whether Fold has a use for an event of a stored name:
	// [Matters] unless replaced, too.
	Matters func(stored string) bool

	kinds map[string]*Kind
}

// NewCatalogue makes a catalogue of kinds; [Kinds] are those of this program.
func NewCatalogue(kinds []Kind) *Catalogue {
	c := &Catalogue{Fold: Fold, Detail: Detail, Matters: Matters, kinds: make(map[string]*Kind, len(kinds))}
	for i := range kinds {
		kinds[i].Category = cmp.Or(kinds[i].Category, kinds[i].Aggregate)
		c.kinds[kinds[i].Stored] = &kinds[i]
	}
	return c
}

// Published returns how a stored event is published, nil if it is not. What it
// points to is not to be changed.
func (c *Catalogue) Published(stored string) *Kind { return c.kinds[stored] }

// Kind returns how a stored event is published, and whether it is at all.
func (c *Catalogue) Kind(stored string) (Kind, bool) {
	kind, ok := c.kinds[stored]
	if !ok {
		return Kind{}, false
	}
	return *kind, true
}

// Types returns the public types an endpoint may ask for, sorted.
func (c *Catalogue) Types() []string {
	var types []string
	for _, kind := range c.kinds {
		if !kind.Private {
			types = append(types, kind.Public)
		}
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// Prefixes returns how the names of streams with public events begin.
func (c *Catalogue) Prefixes() []string {
	var prefixes []string
	for _, kind := range c.kinds {
		prefixes = append(prefixes, kind.Category+"-")
	}
	slices.Sort(prefixes)
	return slices.Compact(prefixes)
}

// PrefixesOf returns how the names of the streams begin whose messages are
// about an aggregate of a type.
func (c *Catalogue) PrefixesOf(aggregate string) []string {
	var prefixes []string
	for _, kind := range c.kinds {
		if kind.Aggregate == aggregate {
			prefixes = append(prefixes, kind.Category+"-")
		}
	}
	slices.Sort(prefixes)
	return slices.Compact(prefixes)
}

// Message is a stored event in its public form, before it is addressed.
type Message struct {
	Kind
	ID          string
	Time        time.Time
	AggregateID string
	Data        json.RawMessage
	// Personal is what the vault holds, for endpoints that get it; nil for all
	// others.
	Personal json.RawMessage
}

// ErrUnreadable says that no message can be made of an event, however often it
// is tried: this program does not understand it.
var ErrUnreadable = errors.New("no message can be made of it")

// Build makes the message of a stored event of a known kind.
func (c *Catalogue) Build(r eventstore.Recorded) (Message, error) {
	kind, ok := c.kinds[r.Type]
	if !ok {
		return Message{}, fmt.Errorf("publish %s: not a public event", r.Type)
	}
	data, err := kind.dataOf(r)
	if err != nil {
		return Message{}, fmt.Errorf("publish %s %s: %w: %w", r.Type, r.ID, ErrUnreadable, err)
	}
	return Message{Kind: *kind, ID: r.ID.String(), Time: r.Created, AggregateID: AggregateID(r.Stream), Data: data}, nil
}

// dataOf makes the public data of an event. It makes an error of a panic: an
// event that was written by others may lack what ours always have.
func (k *Kind) dataOf(r eventstore.Recorded) (data json.RawMessage, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			data, err = nil, fmt.Errorf("panic: %v", cause)
		}
	}()
	event, err := r.Decode()
	if err != nil {
		return nil, err
	}
	public, err := k.Data(event)
	if err != nil {
		return nil, err
	}
	return json.Marshal(public)
}

// AggregateID returns the id within a stream's name.
func AggregateID(stream string) string {
	_, id, _ := strings.Cut(stream, "-")
	return id
}

// publish makes a kind of a function that makes the data. Its version is 1
// where none is given.
func publish[E domain.Event, D any](public, aggregate string, data func(E) D, kind Kind) Kind {
	var event E
	var form D
	kind.Stored, kind.Public, kind.Aggregate, kind.Form = event.EventName(), public, aggregate, form
	kind.Version, kind.Category = max(kind.Version, 1), cmp.Or(kind.Category, aggregate)
	kind.Data = func(event domain.Event) (any, error) {
		e, ok := event.(E)
		if !ok {
			return nil, fmt.Errorf("event is a %T", event)
		}
		return data(e), nil
	}
	return kind
}
