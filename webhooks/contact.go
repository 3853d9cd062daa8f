package webhooks

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// Contacts keeps the addresses at which owners of endpoints are told; events
// have references to them. [vault.Vault] does.
type Contacts interface {
	Put(ctx context.Context, subject, ref string, data any) error
	Get(ctx context.Context, ref string, into any) error
	Erase(ctx context.Context, subject string) error
	// Kept returns the subjects whose names begin so and that were not erased.
	Kept(ctx context.Context, prefix string) ([]string, error)
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

// contactPrefix begins the references of addresses. The endpoint's id and what
// the address and the command make follow it.
const contactPrefix = "endpoint-contact-"

// mostContacts is how often the same command may find its reference erased: by
// whoever cleared up after its first try.
const mostContacts = 8

// contactRef is the reference that a command gives an address: the same when it
// is repeated, and another one for another address.
func (s *Endpoints) contactRef(endpointID, email, commandID string, erased int) string {
	mac := hmac.New(sha256.New, s.MarkKey)
	_, _ = fmt.Fprintf(mac, "contact\x00%s\x00%d\x00%s", commandID, erased, email) // a hash takes everything
	return contactPrefix + endpointID + "." + hex.EncodeToString(mac.Sum(nil)[:16])
}

// repeatedContact is the reference of an address that a command gave an endpoint
// before, known or not.
func (s *Endpoints) repeatedContact(endpointID, email, commandID, known string) string {
	if email == "" {
		return ""
	}
	for erased := range mostContacts {
		if s.contactRef(endpointID, email, commandID, erased) == known {
			return known
		}
	}
	return s.contactRef(endpointID, email, commandID, 0)
}

// keepContact puts the address into the vault that an endpoint gets, and returns
// its reference; an empty one has none. Call it when all else about the command
// is decided: what is refused must leave nothing.
func (s *Endpoints) keepContact(ctx context.Context, endpointID string, settings endpoint.Settings, email, commandID string) (string, error) {
	known, err := s.Contact(ctx, settings)
	switch {
	case err != nil || email == "":
		return "", err
	case known == email:
		return settings.ContactRef, nil
	}
	for erased := range mostContacts {
		ref := s.contactRef(endpointID, email, commandID, erased)
		err = s.Contacts.Put(ctx, ref, ref, vault.Contact{Email: email})
		if !errors.Is(err, vault.ErrErased) {
			return ref, err
		}
	}
	return "", fmt.Errorf("keep the contact of endpoint %s: %w", endpointID, err)
}

// forgetContact erases an address that the endpoint has no more. If that fails,
// the change stays as it is recorded, and [Leftovers] erases it later.
func (s *Endpoints) forgetContact(ctx context.Context, before, now string) {
	if before != "" && before != now {
		_ = s.Contacts.Erase(ctx, before)
	}
}
