package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// Endpoint is an endpoint as the log describes it.
type Endpoint struct {
	ID             string
	URL            string
	EventTypes     []string
	Description    string
	Active         bool
	DisabledReason string
	SealedSecret   []byte
	SecretVersion  int
	CreatedAt      time.Time
	Revision       eventstore.Revision
}

// Change is what one event of an endpoint means for its row: exactly one of
// the first two is set.
type Change struct {
	Endpoint *Endpoint // the row as it is from then on
	Deleted  string    // the id of an endpoint that is gone
	// Position is that of the event: a new endpoint starts there.
	Position eventstore.Position
}

const checkpointEndpoints = "endpoints"

// Checkpoint returns up to which position endpoints were followed.
func (l *Ledger) Checkpoint(ctx context.Context) (eventstore.Position, error) {
	var position int64
	err := l.Read.QueryRowContext(ctx, `SELECT position FROM wh_checkpoint WHERE name = ?`, checkpointEndpoints).Scan(&position)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read checkpoint of endpoints: %w", err)
	}
	return toPosition(position), nil
}

// Apply saves changes of endpoints together with the checkpoint. Applying them
// again changes nothing: a cursor that exists stays where it is.
func (l *Ledger) Apply(ctx context.Context, changes []Change, through eventstore.Position) error {
	err := l.tx(ctx, func(ctx context.Context, t *tx) error {
		for _, change := range changes {
			if err := t.apply(ctx, change); err != nil {
				return err
			}
		}
		_, err := t.exec(ctx, `
			INSERT INTO wh_checkpoint (name, position) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET position = excluded.position`, checkpointEndpoints, fromPosition(through))
		return err
	})
	if err != nil {
		return fmt.Errorf("save endpoints through %d: %w", through, err)
	}
	return nil
}

func (t *tx) apply(ctx context.Context, change Change) error {
	if change.Endpoint == nil {
		return t.deleteEndpoint(ctx, change.Deleted)
	}
	e := change.Endpoint
	types, err := json.Marshal(e.EventTypes)
	if err != nil {
		return fmt.Errorf("encode event types: %w", err)
	}
	state := "disabled"
	if e.Active {
		state = "active"
	}
	_, err = t.exec(ctx, `
		INSERT INTO wh_endpoint (id, url, event_types, description, state, disabled_reason, sealed_secret, secret_version, created_at, revision)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET url = excluded.url, event_types = excluded.event_types, description = excluded.description,
			state = excluded.state, disabled_reason = excluded.disabled_reason, sealed_secret = excluded.sealed_secret,
			secret_version = excluded.secret_version, revision = excluded.revision`,
		e.ID, e.URL, string(types), e.Description, state, e.DisabledReason, e.SealedSecret, e.SecretVersion, millis(e.CreatedAt), int64(e.Revision))
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `INSERT INTO wh_cursor (endpoint_id, run_id, pos) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
		e.ID, Live, fromPosition(change.Position))
	return err
}

// deleteEndpoint keeps the attempts: they are history.
func (t *tx) deleteEndpoint(ctx context.Context, id string) error {
	for _, query := range []string{
		`DELETE FROM wh_endpoint WHERE id = ?`,
		`DELETE FROM wh_cursor WHERE endpoint_id = ?`,
		`DELETE FROM wh_parked WHERE endpoint_id = ?`,
	} {
		if _, err := t.exec(ctx, query, id); err != nil {
			return err
		}
	}
	return nil
}

const endpointColumns = `id, url, event_types, description, state, disabled_reason, sealed_secret, secret_version, created_at, revision`

// Endpoints returns all endpoints, oldest first.
func (l *Ledger) Endpoints(ctx context.Context) ([]Endpoint, error) {
	return l.endpoints(ctx, `SELECT `+endpointColumns+` FROM wh_endpoint ORDER BY created_at, id`)
}

// Endpoint returns one endpoint, and whether there is one.
func (l *Ledger) Endpoint(ctx context.Context, id string) (Endpoint, bool, error) {
	list, err := l.endpoints(ctx, `SELECT `+endpointColumns+` FROM wh_endpoint WHERE id = ?`, id)
	if err != nil || len(list) == 0 {
		return Endpoint{}, false, err
	}
	return list[0], true, nil
}

func (l *Ledger) endpoints(ctx context.Context, query string, args ...any) (list []Endpoint, err error) {
	rows, err := l.Read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read endpoints: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		e, err := scanEndpoint(rows)
		if err != nil {
			return nil, fmt.Errorf("read an endpoint: %w", err)
		}
		list = append(list, e)
	}
	return list, rows.Err()
}

func scanEndpoint(rows *sql.Rows) (Endpoint, error) {
	var e Endpoint
	var types, state string
	var created int64
	err := rows.Scan(&e.ID, &e.URL, &types, &e.Description, &state, &e.DisabledReason, &e.SealedSecret, &e.SecretVersion, &created, &e.Revision)
	if err != nil {
		return Endpoint{}, err
	}
	e.Active = state == "active"
	e.CreatedAt = fromMillis(created)
	return e, json.Unmarshal([]byte(types), &e.EventTypes)
}
