package webhooks_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

var errAway = errors.New("away for a moment")

// fails lets the next of what it stands before fail.
type fails struct {
	*vault.Vault
	eventLog

	erase, append int
}

func (f *fails) Erase(ctx context.Context, subject string) error {
	if f.erase > 0 {
		f.erase--
		return errAway
	}
	return f.Vault.Erase(ctx, subject)
}

func (f *fails) Append(ctx context.Context, stream string, after eventstore.Revision, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	if f.append > 0 {
		f.append--
		return eventstore.Appended{}, errAway
	}
	return f.eventLog.Append(ctx, stream, after, events...)
}

// owned are endpoints whose owners have addresses.
type owned struct {
	*webhooks.Endpoints
	t         *testing.T
	trouble   *fails
	leftovers *webhooks.Leftovers
}

func newOwned(t *testing.T) owned {
	t.Helper()
	p := newPlatform(t)
	people, err := vault.Open(t.Context(), filepath.Join(t.TempDir(), "vault.db"), p.keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = people.Close() })
	o := owned{Endpoints: p.endpoints(nil), t: t, trouble: &fails{Vault: people, eventLog: p.log}}
	o.Store, o.Contacts, o.MarkKey = o.trouble, o.trouble, make([]byte, 32)
	o.leftovers = &webhooks.Leftovers{Endpoints: o.Endpoints, Logger: p.logger()}
	return o
}

func (o owned) create(contact, url, command string) (string, error) {
	m := meta()
	m.CommandID = command
	created, err := o.Create(o.t.Context(), webhooks.NewEndpoint{
		ID: eventstore.DeriveID("endpoint", command), Settings: endpoint.Settings{URL: url, EventTypes: []string{"*"}}, Contact: contact,
	}, m)
	return created.ID, err
}

func (o owned) change(id, contact string) {
	o.t.Helper()
	as := func(s endpoint.Settings) (endpoint.Settings, error) { return s, nil }
	if _, err := o.Change(o.t.Context(), webhooks.Request{ID: id, Meta: meta()}, as, webhooks.Private{Contact: &contact}); err != nil {
		o.t.Fatal(err)
	}
}

// kept compares how many addresses there are.
func (o owned) kept(want int, when string) {
	o.t.Helper()
	refs, err := o.trouble.Kept(o.t.Context(), "endpoint-contact-")
	if err != nil || len(refs) != want {
		o.t.Errorf("%s: %d addresses are kept, want %d: %v, %v", when, len(refs), want, refs, err)
	}
}

func (o owned) look(times int) {
	o.t.Helper()
	for range times {
		if err := o.leftovers.Erase(o.t.Context()); err != nil {
			o.t.Error(err)
		}
	}
}

const hook = "https://partner.example/"

// TestAnAddressThatCouldNotBeErasedIsErasedLater: the change stands, and nobody
// has to repeat it.
func TestAnAddressThatCouldNotBeErasedIsErasedLater(t *testing.T) {
	t.Parallel()
	o := newOwned(t)
	id, err := o.create("first@partner.example", hook, uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	o.trouble.erase = 1
	o.change(id, "second@partner.example")
	o.kept(2, "after a change")
	o.trouble.erase = 1
	o.look(1)
	if err := o.leftovers.Erase(t.Context()); !errors.Is(err, errAway) {
		t.Errorf("the vault is away: %v", err)
	}
	o.look(1)
	o.kept(1, "after the looks")
	e, err := o.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if email, err := o.Contact(t.Context(), e.Settings); err != nil || email != "second@partner.example" {
		t.Errorf("the contact is %q, %v", email, err)
	}
	o.trouble.erase = 1
	if err := o.Delete(t.Context(), id, meta()); err != nil {
		t.Fatal(err)
	}
	o.look(2)
	o.kept(0, "after the end of the endpoint")
}

// TestARequestThatFailsLeavesNoAddress: one that is refused puts none into the
// vault, and one that is not recorded leaves it for a moment only. It can be
// repeated then, as often as that happens.
func TestARequestThatFailsLeavesNoAddress(t *testing.T) {
	t.Parallel()
	o := newOwned(t)
	if _, err := o.create("a@partner.example", "nowhere", uuid.NewString()); !errors.Is(err, endpoint.ErrInvalid) {
		t.Fatal(err)
	}
	o.kept(0, "after a refusal")
	command := uuid.NewString()
	for range 2 {
		o.trouble.append = 1
		if _, err := o.create("a@partner.example", hook, command); !errors.Is(err, errAway) {
			t.Fatal(err)
		}
		o.look(1)
		o.kept(1, "while the request may be under way")
		o.look(1)
		o.kept(0, "later")
	}
	id, err := o.create("a@partner.example", hook, command)
	if err != nil {
		t.Fatal(err)
	}
	o.look(3)
	o.kept(1, "of an endpoint that is there")
	if again, err := o.create("a@partner.example", hook, command); err != nil || again != id {
		t.Errorf("repeated: %s, %v", again, err)
	}
	if _, err := o.create("b@partner.example", hook, command); !errors.Is(err, domain.ErrKeyReused) {
		t.Errorf("with another address: %v", err)
	}
	o.kept(1, "after repeats")
	e, err := o.Get(t.Context(), id)
	if err != nil || strings.Contains(e.ContactRef, "@") {
		t.Errorf("%+v, %v", e, err)
	}
}
