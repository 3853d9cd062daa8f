package auth

import (
	"context"
	"math"
	"strings"

	"github.com/waybill-dev/waybill/node"
)

const (
	metadataPrefix = "$$"
	accountPrefix  = "$user-"
	settingsStream = "$settings"
)

// follow tells those who wait on Changed. Answers do not depend on it: whoever
// asks looks at the log himself.
func (a *Auth) follow(ctx context.Context) {
	for {
		end := a.node.End()
		if a.catchUp() != nil || a.node.Wait(ctx, end) != nil {
			return
		}
	}
}

// catchUp forgets what was changed by all that is acknowledged when it is
// called.
func (a *Auth) catchUp() error {
	if a.followed.Load() >= a.node.End() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	version := a.version.Load()
	defer func() {
		if a.version.Load() != version {
			a.announce()
		}
	}()
	for {
		r := node.AllRead{From: a.followed.Load(), Limit: math.MaxInt32, Filter: a.filter, TailOnly: true}
		page, err := a.node.ReadAll(r)
		if err != nil {
			return err
		}
		if page.Missed {
			a.forgetAll()
			page.Next, page.End = a.node.End(), true
		}
		for _, record := range page.Records {
			a.forget(record.Stream)
			a.version.Add(1)
		}
		a.followed.Store(page.Next)
		if page.End {
			return nil
		}
	}
}

// forgetAll is for a log that has grown faster than it was looked at. What is
// read from now on is as new as the end of the log, read after this.
func (a *Auth) forgetAll() {
	a.version.Add(1)
	a.acls.Purge()
	a.accounts.Purge()
	a.settings.Store(nil)
}

func (a *Auth) forget(stream string) {
	if of, ok := strings.CutPrefix(stream, metadataPrefix); ok {
		a.acls.Remove(of)
		stream = of // metadata may delete what it describes
	}
	if stream == settingsStream {
		a.settings.Store(nil)
	}
	if login, ok := strings.CutPrefix(stream, accountPrefix); ok {
		a.accounts.Remove(login)
	}
}

func (a *Auth) announce() {
	changed := make(chan struct{})
	close(*a.changed.Swap(&changed))
}

// Changed returns a channel that is closed when accounts or rights change after
// the call.
func (a *Auth) Changed() <-chan struct{} { return *a.changed.Load() }

// Version says whether anything about accounts and rights has changed since it
// was last asked: what was allowed under one version need not be asked again.
func (a *Auth) Version() (uint64, error) {
	err := a.catchUp()
	return a.version.Load(), err
}

// keep remembers what was read, unless something has changed since version,
// which was before it was read.
func (a *Auth) keep(version uint64, remember func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.version.Load() == version {
		remember()
	}
}

// last returns the newest event of a stream, nil when there is none.
func (a *Auth) last(stream string) (*node.Record, error) { return lastOf(a.node, stream) }
