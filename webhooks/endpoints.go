package webhooks

import (
	"context"
	"io"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/credentials"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/filter"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// Endpoints is what an API may do to endpoints. Every change is an event.
type Endpoints struct {
	Store     eventstore.Store
	Ledger    *ledger.Ledger
	Sealer    Sealer
	Catalogue *message.Catalogue
	Policy    address.Policy
	Bounds    Bounds
	Verify    Verify    // whose endpoints get a ping before anything else
	Random    io.Reader // of secrets
	Contacts  Contacts
	MarkKey   []byte // tells credentials apart; any secret bytes, the same for ever
	Now       func() time.Time

	limits limits
}

// Endpoint is an endpoint as its owner sees it: without its secrets.
type Endpoint struct {
	ID       string
	TenantID string   // the partner it belongs to, "" the shop itself
	Channels []string // of the partner
	endpoint.Settings
	Status         endpoint.Status
	DisabledReason string
	Verification   endpoint.Verification
	Secrets        []LiveSecret // that sign, the newest first
	CreatedAt      time.Time
	Revision       eventstore.Revision
}

// LiveSecret is a secret that signs, and until when.
type LiveSecret struct {
	Version  int
	NotAfter time.Time // zero while no other has followed it
}

// NewEndpoint describes an endpoint to create.
type NewEndpoint struct {
	// ID names the endpoint. Creating the same endpoint again under the same
	// id is harmless and answers the same, its secret included.
	ID       string
	TenantID string   // the partner it is for, "" the shop itself
	Channels []string // of the partner
	endpoint.Settings
	// Credentials are what the endpoint wants to see of us; may be nil.
	Credentials *credentials.Credentials
	// Contact is the e-mail address of whoever is told that nothing can be
	// delivered; empty is nobody.
	Contact string
}

// CreatedEndpoint is the only place a secret is shown.
type CreatedEndpoint struct {
	Endpoint
	Secret signing.Secret
}

const secretVersion = 1

// Create makes an endpoint with a fresh secret. What happens from then on is
// delivered to it.
func (s *Endpoints) Create(ctx context.Context, n NewEndpoint, meta eventstore.Metadata) (CreatedEndpoint, error) {
	fresh, err := signing.NewSecret(s.Random)
	if err != nil {
		return CreatedEndpoint{}, err
	}
	sealed, err := seal(s.Sealer, fresh, n.TenantID, n.ID, secretVersion)
	if err != nil {
		return CreatedEndpoint{}, err
	}
	settings, limits, err := s.prove(n.Settings, n.TenantID, n.ID, n.Credentials)
	if err != nil {
		return CreatedEndpoint{}, err
	}
	create := endpoint.Create{
		EndpointID: n.ID, TenantID: n.TenantID, Channels: n.Channels, Settings: settings,
		SealedSecret: sealed, SecretVersion: secretVersion, Ping: s.ping(n.TenantID), At: s.Now(), Limits: limits,
	}
	done, err := s.change(ctx, Request{ID: n.ID, Meta: meta}, func(state endpoint.State) (endpoint.Command, error) {
		if state.Status != "" { // a repeat uses up nothing
			create.ContactRef = s.repeatedContact(n.ID, n.Contact, meta.CommandID, state.Created.ContactRef)
			return create, nil
		}
		if _, err := endpoint.Decider.Decide(state, create); err != nil {
			return nil, err
		}
		if err := s.mayCreate(ctx, n); err != nil {
			return nil, err
		}
		var err error
		create.ContactRef, err = s.keepContact(ctx, n.ID, settings, n.Contact, meta.CommandID)
		return create, err
	})
	if err != nil {
		return CreatedEndpoint{}, err
	}
	first := done.state.Created
	secret, err := open(s.Sealer, first.SealedSecret, n.TenantID, n.ID, first.SecretVersion)
	return CreatedEndpoint{Endpoint: s.view(done.state, done.Revision), Secret: secret}, err
}

// prove puts credentials into settings, and says what both are judged by.
// Without any the settings keep those they have.
func (s *Endpoints) prove(
	settings endpoint.Settings, tenantID, endpointID string, c *credentials.Credentials,
) (endpoint.Settings, endpoint.Limits, error) {
	limits := endpoint.Limits{Policy: s.Policy, KnownTypes: s.Catalogue.Types(), CheckFilter: filter.Check}
	if c == nil {
		return settings, limits, nil
	}
	for _, m := range s.CheckCredentials(*c) {
		m.Pointer = "/credentials" + m.Pointer
		limits.Further = append(limits.Further, m)
	}
	if len(limits.Further) > 0 {
		return settings, limits, nil
	}
	settings, err := s.WithCredentials(settings, tenantID, endpointID, *c)
	return settings, limits, err
}

// Get returns an endpoint as it is, [endpoint.ErrNotFound] if there is none.
func (s *Endpoints) Get(ctx context.Context, id string) (Endpoint, error) {
	state, revision, err := eventstore.Load(ctx, s.Store, endpoint.Decider, id)
	if err != nil {
		return Endpoint{}, err
	}
	if !state.Exists() {
		return Endpoint{}, endpoint.ErrNotFound
	}
	return s.view(state, revision), nil
}

// List returns all endpoints, oldest first. The newest changes may be missing
// for a moment.
func (s *Endpoints) List(ctx context.Context) ([]Endpoint, error) {
	rows, err := s.Ledger.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Endpoint, 0, len(rows))
	for _, row := range rows {
		list = append(list, Endpoint{
			ID: row.ID, TenantID: row.TenantID, Channels: row.Channels, Settings: row.Settings, Status: row.State,
			DisabledReason: row.DisabledReason, Verification: row.Verification, Secrets: s.live(row.Secrets), CreatedAt: row.CreatedAt, Revision: row.Revision,
		})
	}
	return list, nil
}

// Disable stops deliveries to an endpoint; nothing is lost meanwhile.
func (s *Endpoints) Disable(ctx context.Context, id, reason string, meta eventstore.Metadata) error {
	_, err := s.command(ctx, Request{ID: id, Meta: meta}, endpoint.Disable{Reason: reason, At: s.Now()})
	return err
}

// Delete stops deliveries to an endpoint for good.
func (s *Endpoints) Delete(ctx context.Context, id string, meta eventstore.Metadata) error {
	return s.DeleteOwn(ctx, Request{ID: id, Meta: meta})
}

// Enable lets deliveries to a disabled endpoint go on where they stopped.
func (s *Endpoints) Enable(ctx context.Context, id string, meta eventstore.Metadata) error {
	_, err := s.Turn(ctx, Request{ID: id, Meta: meta}, true)
	return err
}

// Test sends a message of type endpoint.test to an endpoint and returns the
// message's id. The command's id names the test.
func (s *Endpoints) Test(ctx context.Context, id string, meta eventstore.Metadata) (string, error) {
	return s.TestOwn(ctx, Request{ID: id, Meta: meta})
}

func (s *Endpoints) view(e endpoint.State, at eventstore.Revision) Endpoint {
	return Endpoint{
		ID: e.ID, TenantID: e.TenantID, Channels: e.Channels, Settings: e.Settings, Status: e.Status,
		DisabledReason: e.DisabledReason, Verification: e.Verification, Secrets: s.live(e.Secrets), CreatedAt: e.Created.CreatedAt, Revision: at,
	}
}

func (s *Endpoints) live(secrets []endpoint.Secret) []LiveSecret {
	var list []LiveSecret
	for _, secret := range endpoint.LiveSecrets(secrets, s.Now()) {
		list = append(list, LiveSecret{Version: secret.Version, NotAfter: secret.NotAfter})
	}
	return list
}
