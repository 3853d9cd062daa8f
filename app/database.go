package app

import (
	"context"
	"database/sql"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/vault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// postgres is what the processes that share a Postgres have in common
// besides their read models.
type postgres struct {
	server *database.Server
	db     *database.DB
}

// shared tells whether other processes may use the same databases.
func (a *App) shared() bool { return a.postgres != nil }

// server is the Postgres, or nil for SQLite files.
func (a *App) server() *database.Server {
	if a.postgres == nil {
		return nil
	}
	return a.postgres.server
}

// startDatabase connects to the Postgres of the settings, if they name one, and
// makes sure that this process may work with what is in it.
func (a *App) startDatabase(ctx context.Context) error {
	if a.cfg.Database == "" {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "process"
	}
	a.owner = fmt.Sprintf("%s-%d-%s", host, os.Getpid(), uuid.NewString()[:8])
	server, err := connect(ctx, database.ServerConfig{URL: a.cfg.Database, Connections: a.cfg.DatabaseConnections}, a.logger)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	a.life.onStop("connections to Postgres", func(context.Context) error { server.Close(); return nil })
	db, err := database.Open(ctx, database.Config{Path: "waybill.db", Server: server, Migrations: database.Embedded(migrations, "migrations")})
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	a.life.onStop("database of the installation", func(context.Context) error { return db.Close() })
	a.postgres = &postgres{server: server, db: db}
	return a.postgres.agree(ctx, a.keys)
}

// connect waits for a server that is away or starting, and says so once.
func connect(ctx context.Context, cfg database.ServerConfig, logger *slog.Logger) (*database.Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for said := false; ; {
		server, err := database.Connect(ctx, cfg)
		if err == nil || !errors.Is(err, database.ErrUnavailable) {
			return server, err
		}
		if !said {
			said = true
			logger.WarnContext(ctx, "the database is awaited", "for", startPatience, "error", err)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, err
		}
	}
}

const (
	factKey = "master key"
	factLog = "event store"

	purposeOfMark = "mark of the installation"
)

// agree makes sure that every process has the same master key: what one seals
// the others have to open.
func (p *postgres) agree(ctx context.Context, keys *vault.Keyring) error {
	mark, err := keys.Seal([]byte("waybill"), []byte(purposeOfMark))
	if err != nil {
		return fmt.Errorf("mark the master key: %w", err)
	}
	kept, err := p.fact(ctx, factKey, base64.StdEncoding.EncodeToString(mark))
	if err != nil {
		return err
	}
	sealed, err := base64.StdEncoding.DecodeString(kept)
	if err == nil {
		_, err = keys.Open(sealed, []byte(purposeOfMark))
	}
	if err != nil {
		return fmt.Errorf("%w: %s was made with another one; "+
			"give every process the same WAYBILL_MASTER_KEY, or the folder keys of the first one's data folder", vault.ErrWrongKey, p.server)
	}
	return nil
}

// fact returns what is kept under a name. Where there is nothing, it keeps what
// it is given.
func (p *postgres) fact(ctx context.Context, name, value string) (kept string, err error) {
	err = p.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING`, name, value); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT value FROM facts WHERE name = ?`, name).Scan(&kept)
	})
	if err != nil {
		return "", fmt.Errorf("read the %s of the installation: %w", name, err)
	}
	return kept, nil
}

// runAlone runs a part that works until its context ends in one of the
// processes that share a database; another one goes on with it a few seconds
// after its end. What the part does is harmless when it is done twice.
func (a *App) runAlone(name string, work func(context.Context) error) {
	if !a.shared() {
		a.life.run(name, work)
		return
	}
	a.life.run(name, func(ctx context.Context) error {
		lease, err := database.NewLease(ctx, database.LeaseConfig{
			DB: a.postgres.db, Name: name, Owner: a.owner, Logger: a.logger,
		})
		if err != nil {
			return err
		}
		failed := make(chan error, 1)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		lease.Hold(ctx, func(holding context.Context, _ int64) {
			if err := work(holding); err != nil && holding.Err() == nil {
				failed <- err
				cancel()
			}
		})
		select {
		case err := <-failed:
			return err
		default:
			return nil
		}
	})
}
