package webhooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
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
	Random    io.Reader // of secrets
	MarkKey   []byte    // tells credentials apart; any secret bytes, the same for ever
	Now       func() time.Time
}

// Endpoint is an endpoint as its owner sees it: without its secret.
type Endpoint struct {
	ID             string
	URL            string
	EventTypes     []string
	Description    string
	Status         endpoint.Status
	DisabledReason string
	CreatedAt      time.Time
	Revision       eventstore.Revision
}

// NewEndpoint describes an endpoint to create.
type NewEndpoint struct {
	// ID names the endpoint. Creating the same endpoint again under the same
	// id is harmless and answers the same, its secret included.
	ID          string
	URL         string
	EventTypes  []string
	Description string
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
	sealed, err := seal(s.Sealer, fresh, "", n.ID, secretVersion)
	if err != nil {
		return CreatedEndpoint{}, err
	}
	state, revision, err := s.handle(ctx, n.ID, meta, endpoint.Create{
		EndpointID: n.ID, Settings: endpoint.Settings{URL: n.URL, EventTypes: n.EventTypes, Description: n.Description},
		SealedSecret: sealed, SecretVersion: secretVersion, At: s.Now(),
		Limits: endpoint.Limits{Policy: s.Policy, KnownTypes: s.Catalogue.Types()},
	})
	if err != nil {
		return CreatedEndpoint{}, err
	}
	secret, err := open(s.Sealer, state.Secret().Sealed, state.TenantID, n.ID, state.Secret().Version)
	return CreatedEndpoint{Endpoint: view(state, revision), Secret: secret}, err
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
	return view(state, revision), nil
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
			ID: row.ID, URL: row.URL, EventTypes: row.EventTypes, Description: row.Description, Status: row.State,
			DisabledReason: row.DisabledReason, CreatedAt: row.CreatedAt, Revision: row.Revision,
		})
	}
	return list, nil
}

// Delete stops deliveries to an endpoint for good.
func (s *Endpoints) Delete(ctx context.Context, id string, meta eventstore.Metadata) error {
	_, _, err := s.handle(ctx, id, meta, endpoint.Delete{At: s.Now()})
	return err
}

// Disable stops deliveries to an endpoint; nothing is lost meanwhile.
func (s *Endpoints) Disable(ctx context.Context, id, reason string, meta eventstore.Metadata) error {
	_, _, err := s.handle(ctx, id, meta, endpoint.Disable{Reason: reason, At: s.Now()})
	return err
}

// Enable lets deliveries to an endpoint go on where they stopped.
func (s *Endpoints) Enable(ctx context.Context, id string, meta eventstore.Metadata) error {
	_, _, err := s.handle(ctx, id, meta, endpoint.Enable{At: s.Now()})
	return err
}

// Test sends a message of type endpoint.test to an endpoint and returns the
// message's id. The command's id names the test.
func (s *Endpoints) Test(ctx context.Context, id string, meta eventstore.Metadata) (string, error) {
	_, _, err := s.handle(ctx, id, meta, endpoint.Test{TestID: meta.CommandID, At: s.Now()})
	return eventstore.EventID(endpoint.Decider.Stream(id), meta.CommandID, 0).String(), err
}

// races is how often a change may meet another one at the same endpoint.
const races = 8

func (s *Endpoints) handle(ctx context.Context, id string, meta eventstore.Metadata, cmd endpoint.Command) (state endpoint.State, at eventstore.Revision, err error) {
	for range races {
		state, at, err = s.decide(ctx, id, meta, cmd)
		if !errors.Is(err, eventstore.ErrConflict) {
			break
		}
	}
	return state, at, err
}

func (s *Endpoints) decide(ctx context.Context, id string, meta eventstore.Metadata, cmd endpoint.Command) (endpoint.State, eventstore.Revision, error) {
	state, at, err := eventstore.Load(ctx, s.Store, endpoint.Decider, id)
	if err != nil {
		return state, at, err
	}
	events, err := endpoint.Decider.Decide(state, cmd)
	if err != nil || len(events) == 0 {
		return state, at, err
	}
	stream := endpoint.Decider.Stream(id)
	appends := make([]eventstore.NewEvent, len(events))
	for i, event := range events {
		appends[i] = eventstore.NewEvent{ID: eventstore.EventID(stream, meta.CommandID, i), Event: event, Metadata: meta}
	}
	appended, err := s.Store.Append(ctx, stream, at, appends...)
	if err != nil {
		return state, at, fmt.Errorf("append to %s after %d: %w", stream, at, err)
	}
	return endpoint.Decider.Fold(state, events...), appended.Revision, nil
}

func view(s endpoint.State, at eventstore.Revision) Endpoint {
	return Endpoint{
		ID: s.ID, URL: s.URL, EventTypes: s.EventTypes, Description: s.Description, Status: s.Status,
		DisabledReason: s.DisabledReason, CreatedAt: s.Created.CreatedAt, Revision: at,
	}
}
