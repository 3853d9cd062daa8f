package ledger

import (
	"context"
	"errors"
	"fmt"
)

// SetAside leaves an endpoint to the process that works off the past.
func (l *Ledger) SetAside(ctx context.Context, endpointID string) error {
	l.statements.Add(1)
	if _, err := l.Write.ExecContext(ctx, `INSERT INTO wh_aside (endpoint_id) VALUES (?) ON CONFLICT DO NOTHING`, endpointID); err != nil {
		return fmt.Errorf("set endpoint %s aside: %w", endpointID, err)
	}
	return nil
}

// TakeBack ends that an endpoint is set aside, whoever set it.
func (l *Ledger) TakeBack(ctx context.Context, endpointID string) error {
	l.statements.Add(1)
	if _, err := l.Write.ExecContext(ctx, `DELETE FROM wh_aside WHERE endpoint_id = ?`, endpointID); err != nil {
		return fmt.Errorf("take endpoint %s back: %w", endpointID, err)
	}
	return nil
}

// Aside returns the endpoints that are set aside.
func (l *Ledger) Aside(ctx context.Context) (aside map[string]bool, err error) {
	rows, err := l.Read.QueryContext(ctx, `SELECT endpoint_id FROM wh_aside`)
	if err != nil {
		return nil, fmt.Errorf("read what is set aside: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	aside = map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read what is set aside: %w", err)
		}
		aside[id] = true
	}
	return aside, rows.Err()
}
