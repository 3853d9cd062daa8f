package transfer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// metadata is the newest of a stream.
type metadata struct {
	ID          uuid.UUID
	Type        string
	ContentType string
	Data, Extra []byte
}

// describe replaces the metadata of a stream.
func (l *ledger) describe(ctx context.Context, stream string, m *metadata) error {
	return l.write(ctx, stream, `INSERT INTO metadata VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET (id, type, content_type, data, extra) = (excluded.id, excluded.type, excluded.content_type, excluded.data, excluded.extra)`,
		[]byte(stream), m.ID[:], m.Type, m.ContentType, m.Data, m.Extra)
}

func (l *ledger) forgetMetadata(ctx context.Context, stream string) error {
	return l.write(ctx, stream, `DELETE FROM metadata WHERE name = ?`, []byte(stream))
}

func (l *ledger) entomb(ctx context.Context, stream string) error {
	return l.write(ctx, stream, `INSERT INTO tombstones VALUES (?) ON CONFLICT DO NOTHING`, []byte(stream))
}

func (l *ledger) write(ctx context.Context, stream, query string, args ...any) error {
	if _, err := l.db.ExecContext(whole(ctx), query, args...); err != nil {
		return fmt.Errorf("remember %s: %w", stream, err)
	}
	return nil
}

// metadata is nil for a stream that has none.
func (l *ledger) metadata(ctx context.Context, stream string) (*metadata, error) {
	m, id := &metadata{}, []byte(nil)
	err := l.db.QueryRowContext(whole(ctx), `SELECT id, type, content_type, data, extra FROM metadata WHERE name = ?`, []byte(stream)).
		Scan(&id, &m.Type, &m.ContentType, &m.Data, &m.Extra)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	copy(m.ID[:], id)
	return m, err
}

func (l *ledger) entombed(ctx context.Context, stream string) (bool, error) {
	var n int
	err := l.db.QueryRowContext(whole(ctx), `SELECT count(*) FROM tombstones WHERE name = ?`, []byte(stream)).Scan(&n)
	return n > 0, err
}

const (
	withMetadata  = `metadata WHERE TRUE`
	withTombstone = `tombstones WHERE TRUE`
	stillThere    = `metadata WHERE NOT EXISTS (SELECT 1 FROM tombstones WHERE tombstones.name = metadata.name)`
)

func (l *ledger) count(ctx context.Context, of string) (n int, err error) {
	err = l.db.QueryRowContext(whole(ctx), `SELECT count(*) FROM `+of).Scan(&n)
	return n, err
}

// each calls f for the streams of a table in the order of their names. The
// ledger may be asked meanwhile.
func (l *ledger) each(ctx context.Context, of string, f func(stream string) error) error {
	const page = 1000
	for after := []byte(nil); ; {
		names, err := l.names(ctx, of, after, page)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := f(string(name)); err != nil {
				return err
			}
		}
		if len(names) < page {
			return nil
		}
		after = names[page-1]
	}
}

func (l *ledger) names(ctx context.Context, of string, after []byte, most int) (names [][]byte, err error) {
	rows, err := l.db.QueryContext(whole(ctx), `SELECT name FROM `+of+` AND (? IS NULL OR name > ?) ORDER BY name LIMIT ?`, after, after, most) //nolint:gosec // of is a constant
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name []byte
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
