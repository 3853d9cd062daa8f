package vault

import (
	"context"
	"database/sql"
	"errors"

	"github.com/waybill-dev/waybill/database"
)

// person is somebody as one transaction sees them.
type person struct {
	subject string
	known   bool
	sealed  []byte // the key; nil of a person whose data was erased
	retired bool
	key     []byte // once it was opened, or made
}

const selectPerson = `SELECT sealed_key, retired_at IS NOT NULL FROM subjects WHERE subject = ?`

func (p *person) read(row database.Row) error {
	err := row.Scan(&p.sealed, &p.retired)
	p.known = err == nil
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// peopleOf reads those that a group is about.
func (v *Vault) peopleOf(ctx context.Context, batch *database.Batch, group []*put) (map[string]*person, error) {
	people := make(map[string]*person, len(group))
	for _, one := range group {
		if people[one.subject] != nil {
			continue
		}
		p := &person{subject: one.subject}
		people[p.subject] = p
		if err := batch.QueryRow(ctx, p.read, selectPerson, p.subject); err != nil {
			return nil, err
		}
	}
	return people, batch.Flush(ctx)
}

// keyOf returns a person's key, and a new one of somebody new. With [ErrRetired]
// it returns it too.
func (v *Vault) keyOf(p *person) (key []byte, err error) {
	switch {
	case p.known && p.sealed == nil:
		return nil, ErrErased
	case p.key != nil:
	case !p.known:
		p.key = random(keySize)
	default:
		if p.key, err = v.keys.Open(p.sealed, []byte(p.subject)); err != nil {
			return nil, err
		}
	}
	if p.retired {
		err = ErrRetired
	}
	return p.key, err
}

// introduce keeps the key of somebody new.
func (v *Vault) introduce(ctx context.Context, batch *database.Batch, p *person) (err error) {
	if p.known {
		return nil
	}
	if p.sealed, err = v.keys.Seal(p.key, []byte(p.subject)); err != nil {
		return err
	}
	p.known = true
	return batch.Exec(ctx, `INSERT INTO subjects (subject, sealed_key) VALUES (?, ?)`, p.subject, p.sealed)
}
