package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain/installation"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/node"
)

// startPatience is how long a start waits for an event store that is away.
const startPatience = 30 * time.Second

// startIdentity makes sure that the data folder belongs to this log, as it is.
// A checkpoint of another log, or of what a restored backup has taken back,
// would skip events without a word.
func (a *App) startIdentity(ctx context.Context) error {
	log, err := a.identity(ctx)
	if err != nil {
		return fmt.Errorf("ask the event store at %s for its name: %w; is it running?", a.EventStore(), err)
	}
	if a.shared() {
		return a.sharedIdentity(ctx, log)
	}
	path := filepath.Join(a.cfg.DataDir, "log.id")
	kept, err := os.ReadFile(path) //nolint:gosec // a path of the operator's
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the event store's name: %w", err)
	}
	if err == nil && strings.TrimSpace(string(kept)) == log.String() {
		return nil
	}
	if err == nil && !log.known(strings.TrimSpace(string(kept))) {
		return fmt.Errorf("%s holds read models and cursors of %s: "+
			"connect to that one, or use another --data-dir; to begin anew on this one, remove the folder projections and the files webhooks.db and log.id in it",
			a.cfg.DataDir, log.otherThan(strings.TrimSpace(string(kept))))
	}
	if err := renameio.WriteFile(path, []byte(log.String()+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the event store's name: %w", err)
	}
	return nil
}

// sharedIdentity makes sure of the same for a Postgres.
func (a *App) sharedIdentity(ctx context.Context, log identity) error {
	kept, err := a.postgres.fact(ctx, factLog, log.String())
	if err != nil || kept == log.String() {
		return err
	}
	return fmt.Errorf("%s holds read models and cursors of %s: "+
		"connect to that one, or name another database; to begin anew on this one, drop every schema there but vault, public and sandbox",
		a.server(), log.otherThan(kept))
}

// An identity tells a log from every other one in which positions mean
// something else: one with another name; a copy made by an import, where the
// event with the name has another place and time; and one that was brought back
// from a backup and has gone on otherwise since.
type identity struct {
	name     string
	position eventstore.Position
	created  time.Time
	restored uuid.UUID // the newest event that says so; zero is never
}

func (i identity) String() string {
	return fmt.Sprintf("%s at=%d created=%d restored=%s", i.name, i.position, i.created.UnixNano(), i.restored)
}

// known accepts what folders of earlier versions have, the name alone, as long
// as it cannot be wrong.
func (i identity) known(kept string) bool { return kept == i.name && i.restored == uuid.Nil }

func (i identity) otherThan(kept string) string {
	name, _, _ := strings.Cut(kept, " ")
	if name == i.name {
		return fmt.Sprintf("what this event store (%s) was before a backup was restored, or its events were imported elsewhere", name)
	}
	return fmt.Sprintf("another event store (%s, this is %s)", name, i.name)
}

// identity returns that of the log, and gives it a name if it has none.
func (a *App) identity(ctx context.Context) (identity, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		i, err := a.askIdentity(ctx)
		if err == nil || !errors.Is(err, eventstore.ErrUnavailable) {
			return i, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return i, err
		}
	}
}

func (a *App) askIdentity(ctx context.Context) (identity, error) {
	handler := handlers.CommandHandler[installation.State, installation.Command, installation.Event]{Store: a.store, Decider: installation.Decider}
	command := installation.Found{ID: newID(), At: a.now().UTC()}
	meta := eventstore.Metadata{CommandID: command.ID, Actor: eventstore.Actor{Type: "process", ID: "start"}}
	result, err := handler.Handle(ctx, tenant, meta, command)
	if err != nil {
		return identity{}, err
	}
	i := identity{name: result.State.ID}
	for founded, err := range a.store.ReadStream(ctx, installation.Decider.Stream(tenant), 0) {
		if err != nil {
			return identity{}, err
		}
		i.position, i.created = founded.Position, founded.Created
		break
	}
	for restored, err := range a.client.ReadBackwards(ctx, node.RestoredStream, 1) {
		if err != nil {
			return identity{}, err
		}
		i.restored = restored.ID
	}
	return i, nil
}
