package webhooks

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// Contacts keeps the addresses at which owners of endpoints are told; events
// have references to them. [vault.Vault] does.
type Contacts interface {
	Put(ctx context.Context, subject, ref string, data any) error
	Get(ctx context.Context, ref string, into any) error
	Erase(ctx context.Context, subject string) error
}

// Contact returns the e-mail address that settings refer to; empty is none, or
// one that was erased.
func (s *Endpoints) Contact(ctx context.Context, settings endpoint.Settings) (string, error) {
	if settings.ContactRef == "" {
		return "", nil
	}
	var contact vault.Contact
	err := s.Contacts.Get(ctx, settings.ContactRef, &contact)
	if errors.Is(err, vault.ErrErased) || errors.Is(err, vault.ErrNotFound) {
		err = nil
	}
	return contact.Email, err
}

// WithContact puts an e-mail address into settings: its reference, while the
// vault keeps it. An empty one takes it out. The command names the reference, so
// that a repeat has the same.
func (s *Endpoints) WithContact(ctx context.Context, settings endpoint.Settings, email, commandID string) (endpoint.Settings, error) {
	known, err := s.Contact(ctx, settings)
	if err != nil || known == email {
		return settings, err
	}
	settings.ContactRef = ""
	if email == "" {
		return settings, nil
	}
	ref := "endpoint-contact-" + eventstore.DeriveID("endpoint-contact", commandID)
	if err := s.Contacts.Put(ctx, ref, ref, vault.Contact{Email: email}); err != nil {
		return settings, err
	}
	settings.ContactRef = ref
	return settings, nil
}

// forgetContact erases an address that no endpoint has any more.
func (s *Endpoints) forgetContact(ctx context.Context, before, now string) error {
	if before == "" || before == now {
		return nil
	}
	return s.Contacts.Erase(ctx, before)
}
