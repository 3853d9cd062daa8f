package vault

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// What a reference may lead to instead of data.
var (
	ErrErased   = errors.New("the personal data was erased")
	ErrNotFound = errors.New("there is no personal data under this reference")
)

// Vault keeps personal data under references that may stand in events.
type Vault struct {
	keys *Keyring
	db   *database.DB
	puts chan *put
	done chan struct{}

	idKey  []byte   // what ids of people are made with
	erased sync.Map // subjects, where no other process erases any

	closing sync.RWMutex // held for writing to close puts, for reading to send
	closed  bool
}

// ErrClosed says that the vault was closed: the program is stopping.
var ErrClosed = errors.New("the vault is closed")

// Open opens the vault in a file. What [Vault.Put] returned without error is on
// the disk.
func Open(ctx context.Context, path string, keys *Keyring) (*Vault, error) {
	return openIn(ctx, database.Config{Path: path, Durable: true}, keys)
}

// OpenShared opens the vault in a Postgres, where other processes use it too.
// They have the same master key. What [Vault.Put] returned without error is as
// safe as the server's settings make it.
func OpenShared(ctx context.Context, server *database.Server, keys *Keyring) (*Vault, error) {
	return openIn(ctx, database.Config{Path: "vault.db", Server: server, Durable: true}, keys)
}

func openIn(ctx context.Context, cfg database.Config, keys *Keyring) (*Vault, error) {
	cfg.Migrations = database.Embedded(migrations, "migrations")
	db, err := database.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	v := &Vault{keys: keys, db: db, puts: make(chan *put, maxGroup), done: make(chan struct{}), idKey: keys.Derive("subject")}
	if err := v.rememberErased(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	go v.write(context.WithoutCancel(ctx))
	return v, nil
}

// Close finishes what was put and closes the file. It may be called once.
func (v *Vault) Close() error {
	v.closing.Lock()
	v.closed = true
	close(v.puts)
	v.closing.Unlock()
	<-v.done
	return v.db.Close()
}

// Subject returns the first id of the person with an e-mail address: the same
// for ever, and no way back to the address without the master key. See
// [Vault.Current].
func (v *Vault) Subject(email string) string { return v.subject(email, 0) }

// subject is the id of a person who was forgotten so many times.
func (v *Vault) subject(email string, generation int) string {
	mac := hmac.New(sha256.New, v.idKey)
	mac.Write([]byte(strings.ToLower(strings.TrimSpace(email))))
	if generation > 0 {
		_, _ = fmt.Fprintf(mac, "\x00%d", generation) // a hash takes everything
	}
	id, err := uuid.FromBytes(mac.Sum(nil)[:16])
	if err != nil {
		panic(err) // sixteen bytes are given
	}
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8, RFC 9562: a hash of one's own
	return id.String()
}

// Get reads what is kept under a reference. The error is [ErrErased] or
// [ErrNotFound] where there is nothing to read.
func (v *Vault) Get(ctx context.Context, ref string, into any) error {
	var subject string
	var sealedKey, sealed []byte
	err := v.db.Read.QueryRowContext(ctx, `
		SELECT subject, sealed_key, sealed FROM contents JOIN subjects USING (subject) WHERE ref = ?`, ref).
		Scan(&subject, &sealedKey, &sealed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case err != nil:
		return fmt.Errorf("read the vault: %w", err)
	case sealedKey == nil:
		return ErrErased
	}
	plain, err := v.unseal(subject, ref, sealedKey, sealed)
	if err != nil {
		return fmt.Errorf("read %s from the vault: %w", ref, err)
	}
	return json.Unmarshal(plain, into)
}

func (v *Vault) unseal(subject, ref string, sealedKey, sealed []byte) ([]byte, error) {
	key, err := v.keys.Open(sealedKey, []byte(subject))
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return open(aead, sealed, []byte(ref))
}

// Erase destroys a person's key and what was encrypted with it, for good. The
// references stay, so that they say erased rather than unknown. When it returns
// without error, the key is in none of the vault's files. Erasing twice, or
// somebody unknown, is harmless. In a Postgres what was there may be found on the
// server's disk until it is overwritten, see [database.DB.Forget]: sealed with
// the master key, which is not there.
func (v *Vault) Erase(ctx context.Context, subject string) error {
	err := v.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO subjects (subject, sealed_key) VALUES (?, NULL)
			ON CONFLICT (subject) DO UPDATE SET sealed_key = NULL`, subject)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE contents SET sealed = ? WHERE subject = ?`, []byte{}, subject)
		return err
	})
	if err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	v.erased.Store(subject, true)
	if err := v.db.Forget(ctx); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	return nil
}
