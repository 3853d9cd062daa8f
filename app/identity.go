package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain/installation"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
)

// startPatience is how long a start waits for an event store that is away.
const startPatience = 30 * time.Second

// startIdentity makes sure that the data folder belongs to this log. A
// checkpoint of another log would skip events without a word.
func (a *App) startIdentity(ctx context.Context) error {
	id, err := a.logID(ctx)
	if err != nil {
		return fmt.Errorf("ask the event store at %s for its name: %w; is it running?", a.EventStore(), err)
	}
	path := filepath.Join(a.cfg.DataDir, "log.id")
	kept, err := os.ReadFile(path) //nolint:gosec // a path of the operator's
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := os.WriteFile(path, []byte(id+"\n"), 0o600); err != nil {
			return fmt.Errorf("keep the event store's name: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("read the event store's name: %w", err)
	case strings.TrimSpace(string(kept)) != id:
		return fmt.Errorf("%s holds read models and cursors of another event store (%s, this is %s): "+
			"connect to that one, or use another --data-dir; to begin anew on this one, remove the folder projections and the files webhooks.db and log.id in it",
			a.cfg.DataDir, strings.TrimSpace(string(kept)), id)
	}
	return nil
}

// logID returns the log's name, and gives it one if it has none.
func (a *App) logID(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	handler := handlers.CommandHandler[installation.State, installation.Command, installation.Event]{Store: a.store, Decider: installation.Decider}
	command := installation.Found{ID: newID(), At: a.now().UTC()}
	meta := eventstore.Metadata{CommandID: command.ID, Actor: eventstore.Actor{Type: "process", ID: "start"}}
	for {
		result, err := handler.Handle(ctx, tenant, meta, command)
		if err == nil || !errors.Is(err, eventstore.ErrUnavailable) {
			return result.State.ID, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return "", err
		}
	}
}
