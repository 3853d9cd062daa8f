package eventstore

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/waybill-dev/waybill/domain"
)

// Codec turns events into stored JSON and back. It knows every event by its
// stored name, writes the present schema and reads every schema there ever
// was. A Codec does not change once made and may be used by everybody at once.
type Codec struct {
	byName map[string]registration
}

type registration struct {
	event     reflect.Type
	upcasters []domain.Upcaster
}

func (r registration) schema() int { return len(r.upcasters) + 1 }

// NewCodec returns a codec for those events. It refuses a name that is empty
// or given twice, and an event that is not a plain struct.
func NewCodec(types ...domain.EventType) (*Codec, error) {
	c := &Codec{byName: make(map[string]registration, len(types))}
	for _, t := range types {
		if err := c.register(t); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Codec) register(t domain.EventType) error {
	event := reflect.TypeOf(t.Zero)
	if event == nil || event.Kind() != reflect.Struct {
		return fmt.Errorf("register %v: an event is a struct and not a pointer", event)
	}
	name := t.Zero.EventName()
	if name == "" {
		return fmt.Errorf("register %v: an event needs a name", event)
	}
	if other, taken := c.byName[name]; taken {
		return fmt.Errorf("register %v: %q is the name of %v", event, name, other.event)
	}
	c.byName[name] = registration{event: event, upcasters: t.Upcasters}
	return nil
}

// Bind returns the recorded event with this codec to decode it: for events
// that came another way than through a [Client], such as a file or a test.
func (c *Codec) Bind(r Recorded) Recorded {
	r.codec, r.once = c, &decoding{}
	return r
}

// encode returns the event as JSON of the present schema, which may be given,
// with its metadata.
func (c *Codec) encode(event domain.Event, content []byte, meta Metadata) (data, metadata []byte, err error) {
	if event == nil {
		return nil, nil, fmt.Errorf("encode: %w: no event", ErrUnknownType)
	}
	r, ok := c.byName[event.EventName()]
	if !ok || r.event != reflect.TypeOf(event) {
		return nil, nil, fmt.Errorf("encode %T as %q: %w", event, event.EventName(), ErrUnknownType)
	}
	if data = content; data == nil {
		if data, err = json.Marshal(event); err != nil {
			return nil, nil, fmt.Errorf("encode %s: %w", event.EventName(), err)
		}
	}
	meta.Schema = r.schema()
	if metadata, err = meta.write(); err != nil {
		return nil, nil, fmt.Errorf("encode metadata of %s: %w", event.EventName(), err)
	}
	return data, metadata, nil
}

func (c *Codec) decode(name string, data, metadata []byte) (domain.Event, error) {
	if c == nil {
		return nil, ErrUnknownType
	}
	r, ok := c.byName[name]
	if !ok {
		return nil, ErrUnknownType
	}
	schema, err := schemaOf(metadata)
	if err != nil {
		return nil, err
	}
	if data, err = r.upcast(data, schema); err != nil {
		return nil, err
	}
	event, err := read(data, r.event)
	if err != nil {
		return nil, err
	}
	return event.Interface().(domain.Event), nil
}

func (r registration) upcast(data []byte, schema int) ([]byte, error) {
	if schema > r.schema() {
		return nil, fmt.Errorf("schema %d where %d is known: %w", schema, r.schema(), ErrNewerSchema)
	}
	for from := schema; from < r.schema(); from++ {
		var err error
		if data, err = r.upcasters[from-1](data); err != nil {
			return nil, fmt.Errorf("upcast schema %d: %w", from, err)
		}
	}
	return data, nil
}
