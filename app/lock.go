package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gofrs/flock"
)

// local is the name under which this data folder's process owns endpoints. It
// may be the same at each start, because the lock on the role makes sure that
// an earlier owner is gone: so nothing has to wait for its lease to end.
const local = "local"

// ErrOtherProcess says that the data folder is in use.
var ErrOtherProcess = errors.New("another process runs")

// lockRoles locks the data folder for every role, of the handlers each by
// itself, unless what there is to lock is in a Postgres.
func (a *App) lockRoles() error {
	if a.cfg.Database != "" {
		return nil
	}
	for _, role := range a.locks() {
		if err := a.lockRole(role); err != nil {
			return err
		}
	}
	return nil
}

// lockRole makes sure that no other process works on the same files: they
// belong to one process at a time.
func (a *App) lockRole(role string) error {
	lock := flock.New(filepath.Join(a.cfg.DataDir, role+".lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock the data folder for %s: %w", role, err)
	}
	if !locked {
		return fmt.Errorf("%w %s in %s: stop it, or give this one another --data-dir or other --roles", ErrOtherProcess, role, a.cfg.DataDir)
	}
	a.life.onStop("lock of "+role, func(context.Context) error { return lock.Unlock() })
	return nil
}
