package vault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// resealPage is how many people's keys are sealed anew in one transaction.
const resealPage = 500

// Reseal seals every person's key with the newest master key and returns how
// many it changed. Afterwards no older master key opens anything in the vault.
// It may be interrupted and started again, and works beside whoever reads and
// writes with a keyring that has both keys. Progress may be nil.
func (v *Vault) Reseal(ctx context.Context, progress func(done, of int)) (changed int, err error) {
	var of int
	if err := v.db.Read.QueryRowContext(ctx, `SELECT count(*) FROM subjects`).Scan(&of); err != nil {
		return 0, fmt.Errorf("count the people in the vault: %w", err)
	}
	for after, done := "", 0; ; {
		page, err := v.sealedKeys(ctx, after)
		if err != nil {
			return changed, fmt.Errorf("read the keys of the vault: %w", err)
		}
		if len(page) == 0 {
			break
		}
		count, err := v.resealSome(ctx, page)
		if changed += count; err != nil {
			return changed, fmt.Errorf("reseal the keys of the vault: %w", err)
		}
		after, done = page[len(page)-1].subject, done+len(page)
		if progress != nil {
			progress(done, max(of, done))
		}
	}
	if changed == 0 {
		return 0, nil
	}
	return changed, v.db.Forget(ctx) // the old seals are in none of the vault's files
}

type sealedKeyOf struct {
	subject string
	sealed  []byte // nil: erased
}

func (v *Vault) sealedKeys(ctx context.Context, after string) (page []sealedKeyOf, err error) {
	rows, err := v.db.Read.QueryContext(ctx, `SELECT subject, sealed_key FROM subjects WHERE subject > ? ORDER BY subject LIMIT ?`, after, resealPage)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var one sealedKeyOf
		if err := rows.Scan(&one.subject, &one.sealed); err != nil {
			return nil, err
		}
		page = append(page, one)
	}
	return page, rows.Err()
}

// resealSome replaces seals. Whoever is erased meanwhile stays erased.
func (v *Vault) resealSome(ctx context.Context, page []sealedKeyOf) (changed int, err error) {
	err = v.db.Tx(ctx, func(tx *sql.Tx) error {
		changed = 0
		for _, one := range page {
			if !v.keys.Old(one.sealed) {
				continue
			}
			key, err := v.keys.Open(one.sealed, []byte(one.subject))
			if err != nil {
				return err
			}
			sealed, err := v.keys.Seal(key, []byte(one.subject))
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `UPDATE subjects SET sealed_key = ? WHERE subject = ? AND sealed_key = ?`, sealed, one.subject, one.sealed)
			if err != nil {
				return err
			}
			changed++
		}
		return nil
	})
	return changed, err
}
