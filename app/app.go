// Package app puts the program together: it makes every part from the
// settings, starts them in order, and stops them in reverse. It is the only
// place that knows all of them. It must not do what a part should do.
package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/sandbox"
	"github.com/waybill-dev/waybill/handlers/effects/deadletters"
	"github.com/waybill-dev/waybill/handlers/effects/router"
	"github.com/waybill-dev/waybill/tracing"
	"github.com/waybill-dev/waybill/vault"
)

// Roles a process may have.
const (
	RoleAPI         = "api"
	RoleProjections = "projections"
	RoleHandlers    = "handlers"
	RoleWebhooks    = "webhooks"

	// roleBacklog is that of the process which another one starts: see
	// [RunBacklog].
	roleBacklog = "webhooks-backlog"
)

// Options are what is no setting.
type Options struct {
	Roles   []string // of Role…
	Logger  *slog.Logger
	Version string
	// Backlog makes the command that runs [RunBacklog]. Nil is that there is no
	// such program: then this process does that, too.
	Backlog func() *exec.Cmd

	backlogOf string // the owner that this process works off the past for
}

// App is the platform.
type App struct {
	cfg     configs.Config
	options Options
	logger  *slog.Logger
	now     func() time.Time
	life    *lifecycle

	keys         *vault.Keyring
	adminKey     string
	adminKeyMade bool
	eventStore   string    // connection string
	postgres     *postgres // nil where nothing is shared: with SQLite
	owner        string    // of what one process has at a time
	stockBatches stockBatches

	client   *eventstore.Client
	store    eventstore.Store // client, traced
	vault    *vault.Vault
	models   *readModels
	commands *commands

	effectMetrics *router.Metrics
	deadLetters   *deadletters.Desk
	hooks         *hooks
	sandbox       *sandbox.Server // nil where it is off
	http          net.Listener
}

// New checks what can be checked before anything is started.
func New(cfg configs.Config, options Options) (*App, error) {
	a := &App{cfg: cfg, options: options, logger: options.Logger, now: time.Now, life: newLifecycle(options.Logger), owner: local, stockBatches: newStockBatches(), effectMetrics: router.NewMetrics()}
	if len(options.Roles) == 0 {
		return nil, errors.New("a process needs at least one role")
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	var err error
	a.keys, err = vault.OpenKeyring(filepath.Join(cfg.DataDir, "keys"), cfg.MasterKey)
	return a, err
}

// Start starts every part. When it fails, what was started is for Stop.
func (a *App) Start(ctx context.Context) error {
	if err := a.lockRoles(); err != nil {
		return err
	}
	for _, start := range []func(context.Context) error{
		a.startAdminKey, a.startPprof, a.startDatabase, a.startNode, a.startClient, a.startIdentity, a.startVault, a.startReadModels, a.startCommands, a.startProcess, a.startWebhooks, a.startExports, a.startAnalytics, a.startDeadLetters, a.startEffects, a.startJobs, a.startAPI, a.startMonitor,
	} {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop stops what was started, last first.
func (a *App) Stop(ctx context.Context) error { return a.life.stop(ctx) }

// Failed tells why the program cannot go on.
func (a *App) Failed() <-chan error { return a.life.failed }

// HTTPAddr is where the API listens; empty without the role.
func (a *App) HTTPAddr() string {
	if a.http == nil {
		return ""
	}
	return a.http.Addr().String()
}

// EventStore is the connection string of the event store.
func (a *App) EventStore() string { return configs.Redacted(a.eventStore) }

// AdminKey is the key with scope admin, and whether it was made just now.
func (a *App) AdminKey() (key string, made bool) { return a.adminKey, a.adminKeyMade }

func (a *App) has(role string) bool { return slices.Contains(a.options.Roles, role) }

func (a *App) startNode(context.Context) error {
	if a.cfg.EventStore != "" {
		a.eventStore = a.cfg.EventStore
		return nil
	}
	n, err := startEmbedded(a.cfg, a.logger)
	if err != nil {
		return err
	}
	a.eventStore = n.ConnectionString()
	a.life.onStop("embedded event store", n.Stop)
	a.life.run("embedded event store's watch", func(ctx context.Context) error {
		select {
		case err := <-n.Failed():
			return err
		case <-ctx.Done():
			return nil
		}
	})
	return nil
}

func (a *App) startClient(context.Context) error {
	codec, err := eventstore.NewCodec(eventTypes()...)
	if err != nil {
		return fmt.Errorf("register the events: %w", err)
	}
	a.client, err = eventstore.NewClient(eventstore.Config{ConnectionString: a.eventStore, Codec: codec, Logger: a.logger})
	if err != nil {
		return fmt.Errorf("set up the event store's client: %w", err)
	}
	a.store = tracing.Store(a.client)
	a.life.onStop("event store's client", func(context.Context) error { return a.client.Close() })
	return nil
}

func (a *App) startVault(ctx context.Context) (err error) {
	if a.shared() {
		a.vault, err = vault.OpenShared(ctx, a.server(), a.keys)
	} else {
		a.vault, err = vault.Open(ctx, filepath.Join(a.cfg.DataDir, "vault.db"), a.keys)
	}
	if err != nil {
		return fmt.Errorf("open the vault: %w", err)
	}
	a.life.onStop("vault", func(context.Context) error { return a.vault.Close() })
	return nil
}

// AdminKeyFile is where the data folder keeps an admin key that was made.
const AdminKeyFile = "admin.key"

// startAdminKey takes the key of the settings, or the one that an earlier start
// made, or makes one and keeps it in a file only this user can read. It comes
// after the locks of the roles: of two first starts one makes the key.
func (a *App) startAdminKey(context.Context) error {
	if a.adminKey = a.cfg.AdminKey; a.adminKey != "" {
		return nil
	}
	path := filepath.Join(a.cfg.DataDir, AdminKeyFile)
	kept, err := os.ReadFile(path) //nolint:gosec // a path of the operator's
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the admin key: %w", err)
	}
	if a.adminKey = strings.TrimSpace(string(kept)); a.adminKey != "" {
		return nil
	}
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails
	a.adminKey, a.adminKeyMade = "wb_admin_"+base64.RawURLEncoding.EncodeToString(b[:]), true
	if err := renameio.WriteFile(path, []byte(a.adminKey+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the admin key: %w", err)
	}
	return nil
}

// newID returns a UUIDv7: ids made later sort later.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
