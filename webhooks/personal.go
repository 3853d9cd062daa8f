package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// People reads personal data by its reference; [vault.Vault] does.
type People interface {
	Get(ctx context.Context, ref string, into any) error
}

// errPeople says that the vault could not be read; that is not the receiver's
// failure.
var errPeople = errors.New("personal data cannot be read")

// personal is what messages carry for endpoints that get personal data.
type personal struct {
	Contact *vault.Contact `json:"contact,omitempty"`
	ShipTo  *vault.Address `json:"ship_to,omitempty"`
	BillTo  *vault.Address `json:"bill_to,omitempty"`
	Erased  bool           `json:"erased,omitempty"`
}

// personalOf reads what is kept of a message's customer, at the moment of
// sending: nothing of it is stored on the way. nil is nothing.
func (d *Dispatcher) personalOf(ctx context.Context, to *target, it *item) (json.RawMessage, error) {
	if !to.PersonalData || !it.kind.Personal || d.People == nil {
		return nil, nil //nolint:nilnil // see above
	}
	e, err := d.history.event(ctx, it.Recorded)
	if err != nil {
		return nil, err
	}
	p, err := d.read(ctx, e.attributes)
	if err != nil || p == (personal{}) {
		return nil, err
	}
	return json.Marshal(p)
}

// read answers erased where anything of it was: it was erased all at once.
func (d *Dispatcher) read(ctx context.Context, from *message.Attributes) (personal, error) {
	var p personal
	contact, err := kept[vault.Contact](ctx, d.People, from.Contact)
	if err == nil {
		p.Contact = contact
		p.ShipTo, err = kept[vault.Address](ctx, d.People, from.ShipTo)
	}
	if err == nil {
		p.BillTo, err = kept[vault.Address](ctx, d.People, from.BillTo)
	}
	if errors.Is(err, vault.ErrErased) {
		return personal{Erased: true}, nil
	}
	return p, err
}

// kept reads what is under a reference; nil is nothing.
func kept[T any](ctx context.Context, people People, ref string) (*T, error) {
	if ref == "" {
		return nil, nil //nolint:nilnil // see above
	}
	var data T
	switch err := people.Get(ctx, ref, &data); {
	case err == nil:
		return &data, nil
	case errors.Is(err, vault.ErrNotFound):
		return nil, nil //nolint:nilnil // see above
	case errors.Is(err, vault.ErrErased):
		return nil, err
	default:
		return nil, fmt.Errorf("%w: %w", errPeople, err)
	}
}
