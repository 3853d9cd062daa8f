package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// Endpoint is an endpoint as the log describes it.
type Endpoint struct {
	ID       string
	TenantID string   // the partner it belongs to, "" the shop itself
	Channels []string // of the partner: no other orders are for it
	// State is that of an endpoint that exists, in the words of package
	// endpoint.
	State          endpoint.Status
	DisabledReason string
	endpoint.Settings
	Secrets []endpoint.Secret // the newest last
	// Verification is what became of the last ping.
	Verification endpoint.Verification
	// Failing is since when nothing was delivered, if its owner was told.
	Failing   time.Time
	CreatedAt time.Time
	Revision  eventstore.Revision
}

// Active says whether messages are to be sent.
func (e Endpoint) Active() bool { return e.State == endpoint.StatusActive }

// Change is what one event of an endpoint means for its rows: exactly one of
// the first five is set.
type Change struct {
	Endpoint *Endpoint // the row as it is from then on
	Deleted  string    // the id of an endpoint that is gone
	Started  *Run      // a replay
	Ended    *Key      // a replay
	// EndedAt is when it ended: what it gave up stays on record for a while. It
	// is zero where nobody will ask for that.
	EndedAt time.Time
	// Repeated says that what ended has sent everything that was passed over
	// within its bounds.
	Repeated bool
	Wish     *Wish // of the owner
	// Position is that of the event: a new endpoint starts there.
	Position eventstore.Position
	// Seeks counts how often the endpoint was told where to go on, and Seek is
	// where the last time. A seek is made once, whoever applies it.
	Seeks int
	Seek  eventstore.Position
	// Starts counts how often deliveries were started again: whatever was held
	// against the endpoint before is over.
	Starts int
	// Known is how far deliveries are known to have come if this ledger has no
	// cursor of the endpoint; nil is not at all.
	Known *eventstore.Position
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
	switch {
	case change.Started != nil:
		return t.startRun(ctx, *change.Started)
	case change.Ended != nil:
		if change.Repeated {
			if err := t.clearSkipped(ctx, *change.Ended); err != nil {
				return err
			}
		}
		return t.endRun(ctx, *change.Ended, change.EndedAt)
	case change.Wish != nil:
		return t.want(ctx, *change.Wish)
	case change.Endpoint == nil:
		return t.deleteEndpoint(ctx, change.Deleted)
	}
	if err := t.putEndpoint(ctx, *change.Endpoint); err != nil {
		return err
	}
	if err := t.putCursor(ctx, change); err != nil {
		return err
	}
	if change.Seeks > 0 {
		if err := t.seek(ctx, change); err != nil {
			return err
		}
	}
	if change.Starts == 0 {
		return nil
	}
	_, err := t.exec(ctx, `
		UPDATE wh_cursor SET starts = ?, failing_since = 0, gate_until = 0, breaker = 0 WHERE endpoint_id = ? AND run_id = ? AND starts < ?`,
		change.Starts, change.Endpoint.ID, Live, change.Starts)
	return err
}

// putCursor makes the live cursor of an endpoint that has none: at its
// beginning, or where deliveries are known to have come.
func (t *tx) putCursor(ctx context.Context, change Change) error {
	position, seeks, wishes := change.Position, 0, eventstore.Revision(0)
	if change.Known != nil { // what was wanted until then was done, or is done by redelivery
		position, seeks, wishes = *change.Known, change.Seeks, change.Endpoint.Revision
	}
	_, err := t.exec(ctx, `
		INSERT INTO wh_cursor (endpoint_id, run_id, pos, from_pos, seeks, wishes, starts, failing_since) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		change.Endpoint.ID, Live, fromPosition(position), fromPosition(position), seeks, int64(wishes), change.Starts, millis(change.Endpoint.Failing))
	return err
}

func (t *tx) putEndpoint(ctx context.Context, e Endpoint) error {
	args := []any{e.ID, e.TenantID, string(e.State), e.DisabledReason, millis(e.CreatedAt), int64(e.Revision), millis(e.Failing)}
	for _, part := range []any{e.Channels, e.Settings, e.Secrets, e.Verification} {
		text, err := json.Marshal(part)
		if err != nil {
			return fmt.Errorf("encode endpoint %s: %w", e.ID, err)
		}
		args = append(args, string(text))
	}
	_, err := t.exec(ctx, `
		INSERT INTO wh_endpoint (id, tenant_id, state, disabled_reason, created_at, revision, failing, channels, settings, secrets, verification)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, disabled_reason = excluded.disabled_reason,
			revision = excluded.revision, failing = excluded.failing, channels = excluded.channels, settings = excluded.settings, secrets = excluded.secrets,
			verification = excluded.verification
			WHERE wh_endpoint.revision <= excluded.revision`, args...)
	return err
}

// seek moves the live cursor and takes it from whoever has it. After the
// position everything is read again; what waited before it is given up, as its
// owner wished, and stays on record.
func (t *tx) seek(ctx context.Context, change Change) error {
	id, position := change.Endpoint.ID, fromPosition(change.Seek)
	if err := t.skip(ctx, change); err != nil {
		return err
	}
	moved, err := t.exec(ctx, `
		UPDATE wh_cursor SET pos = ?, from_pos = ?, seeks = ?, epoch = epoch + 1, owner = NULL, lease_until = 0, gate_until = 0, breaker = 0
		WHERE endpoint_id = ? AND run_id = ? AND seeks < ?`, position, position, change.Seeks, id, Live, change.Seeks)
	if err != nil || moved == 0 {
		return err
	}
	_, err = t.exec(ctx, `DELETE FROM wh_parked WHERE endpoint_id = ? AND run_id = ? AND commit_pos > ?`, id, Live, position)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `
		UPDATE wh_parked SET dead = 1, due_at = NULL, blocked = 0, resent = 0, told = 1
		WHERE endpoint_id = ? AND run_id = ? AND dead = 0`, id, Live)
	return err
}

// deleteEndpoint keeps the attempts: they are history.
func (t *tx) deleteEndpoint(ctx context.Context, id string) error {
	for _, query := range []string{
		`DELETE FROM wh_endpoint WHERE id = ?`,
		`DELETE FROM wh_cursor WHERE endpoint_id = ?`,
		`DELETE FROM wh_parked WHERE endpoint_id = ?`,
		`DELETE FROM wh_ended WHERE endpoint_id = ?`,
		`DELETE FROM wh_skipped WHERE endpoint_id = ?`,
		`DELETE FROM wh_wish WHERE endpoint_id = ?`,
		`DELETE FROM wh_aside WHERE endpoint_id = ?`,
	} {
		if _, err := t.exec(ctx, query, id); err != nil {
			return err
		}
	}
	return nil
}

const endpointColumns = `id, tenant_id, state, disabled_reason, created_at, revision, failing, channels, settings, secrets, verification`

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
	var created, failing int64
	var channels, settings, secrets, verification []byte
	err := rows.Scan(&e.ID, &e.TenantID, &e.State, &e.DisabledReason, &created, &e.Revision, &failing, &channels, &settings, &secrets, &verification)
	e.CreatedAt, e.Failing = fromMillis(created), fromMillis(failing)
	for text, part := range map[*[]byte]any{&channels: &e.Channels, &settings: &e.Settings, &secrets: &e.Secrets, &verification: &e.Verification} {
		err = errors.Join(err, json.Unmarshal(*text, part))
	}
	return e, err
}
