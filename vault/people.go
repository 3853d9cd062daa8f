package vault

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrRetired says that a person's data is about to be erased: it can be read,
// and nothing can be added to it.
var ErrRetired = errors.New("the personal data is being erased")

// Current returns the id under which the person with an e-mail address is
// known at present. It is that of [Vault.Subject], until that one was erased:
// somebody who comes back after having been forgotten is somebody else.
func (v *Vault) Current(ctx context.Context, email string) (string, error) {
	for generation := 0; ; generation++ {
		subject := v.subject(email, generation)
		erased, err := v.wasErased(ctx, subject)
		if err != nil || !erased {
			return subject, err
		}
	}
}

// wasErased asks the database only where other processes erase people too:
// every order of somebody with an address passes here.
func (v *Vault) wasErased(ctx context.Context, subject string) (erased bool, err error) {
	if v.db.Shared() {
		_, erased, err = v.Known(ctx, subject)
		return erased, err
	}
	_, erased = v.erased.Load(subject)
	return erased, nil
}

// rememberErased reads who was erased: few of all people, so it has an index.
func (v *Vault) rememberErased(ctx context.Context) error {
	if v.db.Shared() {
		return nil
	}
	rows, err := v.db.Read.QueryContext(ctx, `SELECT subject FROM subjects WHERE sealed_key IS NULL`)
	if err != nil {
		return fmt.Errorf("read who was erased: %w", err)
	}
	defer func() { _ = rows.Close() }() // a failure shows in Err
	for rows.Next() {
		var subject string
		if err := rows.Scan(&subject); err != nil {
			return fmt.Errorf("read who was erased: %w", err)
		}
		v.erased.Store(subject, true)
	}
	return rows.Err()
}

// Known reports whether anything was ever kept for a person, and whether it was
// erased.
func (v *Vault) Known(ctx context.Context, subject string) (known, erased bool, err error) {
	err = v.db.Read.QueryRowContext(ctx, `SELECT sealed_key IS NULL FROM subjects WHERE subject = ?`, subject).Scan(&erased)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, false, nil
	case err != nil:
		return false, false, fmt.Errorf("read the vault: %w", err)
	}
	return true, erased, nil
}

// Kept returns the subjects whose ids begin so and whose data was not erased.
func (v *Vault) Kept(ctx context.Context, prefix string) (subjects []string, err error) {
	const last = "\U0010FFFF"
	rows, err := v.db.Read.QueryContext(ctx, `
		SELECT subject FROM subjects WHERE subject >= ? AND subject < ? AND sealed_key IS NOT NULL ORDER BY subject`, prefix, prefix+last)
	if err != nil {
		return nil, fmt.Errorf("read whose data is kept: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var subject string
		if err := rows.Scan(&subject); err != nil {
			return nil, fmt.Errorf("read whose data is kept: %w", err)
		}
		subjects = append(subjects, subject)
	}
	return subjects, rows.Err()
}

// Retire makes a person's data read-only, before it is erased. It returns a
// name of the key, which tells nothing about it, and since when. Retiring twice
// is harmless; the error is [ErrErased] for a person whose key is gone.
func (v *Vault) Retire(ctx context.Context, subject string, now time.Time) (keyID string, since time.Time, err error) {
	err = v.db.Tx(ctx, func(tx *sql.Tx) error {
		p := &person{subject: subject}
		if err := p.read(tx.QueryRowContext(ctx, selectPerson, subject)); err != nil {
			return err
		}
		key, err := v.keyOf(p)
		if err != nil && !errors.Is(err, ErrRetired) {
			return err
		}
		batch := v.db.Batch(tx)
		if err := errors.Join(v.introduce(ctx, batch, p), batch.Flush(ctx)); err != nil {
			return err
		}
		hash := sha256.Sum256(append([]byte("waybill key id "), key...))
		keyID = hex.EncodeToString(hash[:16])
		var millis int64
		row := tx.QueryRowContext(ctx, `UPDATE subjects SET retired_at = COALESCE(retired_at, ?) WHERE subject = ? RETURNING retired_at`, now.UnixMilli(), subject)
		err = row.Scan(&millis)
		since = time.UnixMilli(millis)
		return err
	})
	if err != nil && !errors.Is(err, ErrErased) {
		err = fmt.Errorf("retire: %w", err)
	}
	return keyID, since, err
}

// Resume takes Retire back. It brings back nothing that was erased.
func (v *Vault) Resume(ctx context.Context, subject string) error {
	if _, err := v.db.Write.ExecContext(ctx, `UPDATE subjects SET retired_at = NULL WHERE subject = ?`, subject); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return nil
}

// Entry is something that is kept of a person.
type Entry struct {
	Ref  string          `json:"ref"`
	Data json.RawMessage `json:"data"`
}

// Of returns everything that is kept of a person, by reference. The error is
// [ErrErased] for somebody whose data was erased, and there is none for
// somebody unknown.
func (v *Vault) Of(ctx context.Context, subject string) (entries []Entry, err error) {
	known, erased, err := v.Known(ctx, subject)
	if err != nil || !known {
		return nil, err
	}
	if erased {
		return nil, ErrErased
	}
	rows, err := v.db.Read.QueryContext(ctx, `SELECT ref FROM contents WHERE subject = ? ORDER BY ref`, subject)
	if err != nil {
		return nil, fmt.Errorf("read the vault: %w", err)
	}
	defer func() { _ = rows.Close() }() // a failure shows in Err
	for rows.Next() {
		var e Entry
		if err := rows.Scan(&e.Ref); err != nil {
			return nil, fmt.Errorf("read the vault: %w", err)
		}
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the vault: %w", err)
	}
	for i := range entries {
		if err := v.Get(ctx, entries[i].Ref, &entries[i].Data); err != nil {
			return nil, err
		}
	}
	return entries, nil
}
