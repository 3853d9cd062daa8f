// Package auth decides who a caller of the node is, and what he may do with
// which stream.
//
// Accounts, rights and defaults are ordinary events of the store: `$user-…`,
// the metadata of each stream, `$settings`. It promises that a change of them
// counts for whatever begins after the change was acknowledged, although all of
// it is remembered, and that neither wrong passwords nor unknown names cost
// more than bounded time and memory.
//
// It must not know how a call arrives.
package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/waybill-dev/waybill/node"
)

var (
	// ErrDenied is for a caller who may not do what he asks for.
	ErrDenied = errors.New("access denied")
	// ErrUnauthenticated is for a caller who is not who he says.
	ErrUnauthenticated = errors.New("the login or its password is wrong, or the account is disabled")
)

// Config is how much is remembered, and the first passwords. Nothing in it is
// required.
type Config struct {
	// AdminPassword and OpsPassword are of the accounts admin and ops when
	// they are made, which is the first time that [Open] sees the store. Empty
	// makes random ones, which [Auth.Made] tells.
	AdminPassword, OpsPassword string

	Logger   *slog.Logger // nil is silence
	Streams  int          // whose rights are remembered; default 20,000
	Logins   int          // whose accounts are remembered; default 1,000
	Verdicts int          // on credentials, right ones and wrong ones each; default 4,000
	Hashes   int          // of passwords, computed at once; default half the processors
}

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for field, value := range map[*int]int{
		&c.Streams: 20_000, &c.Logins: 1000, &c.Verdicts: 4000, &c.Hashes: halfTheProcessors(),
	} {
		if *field <= 0 {
			*field = value
		}
	}
}

// Auth answers from what it remembers of the store, and forgets what the log
// says has changed. Its methods may be called from any goroutine.
type Auth struct {
	node   *node.Node
	logger *slog.Logger
	made   []Credentials

	accounts *lru.Cache[string, *account]
	acls     *lru.Cache[string, *acl]
	settings atomic.Pointer[settings]

	verified  *lru.Cache[fingerprint, verdict]
	refused   *lru.Cache[fingerprint, verdict]
	key       []byte // of the fingerprints, of this process
	checks    singleflight.Group
	turnstile turnstile

	filter   *node.Filter
	mu       sync.Mutex    // held while something is forgotten, and while something is put beside it
	followed atomic.Uint64 // position up to which the log has been looked at
	version  atomic.Uint64 // grows with everything forgotten
	changed  atomic.Pointer[chan struct{}]

	stop    context.CancelFunc
	working sync.WaitGroup
}

// Open reads from n who may do what, and makes the accounts admin and ops where
// they have never been. Close it before n.
func Open(ctx context.Context, n *node.Node, cfg Config) (*Auth, error) {
	cfg.setDefaults()
	a := &Auth{
		node:   n,
		logger: cfg.Logger,
		key:    make([]byte, fingerprintKeySize),
		filter: &node.Filter{By: node.ByStream, Prefixes: []string{metadataPrefix, accountPrefix, settingsStream}},
	}
	a.turnstile.init(cfg.Hashes)
	_, _ = rand.Read(a.key) // ends the process rather than fail
	if err := a.remember(cfg); err != nil {
		return nil, err
	}
	changed := make(chan struct{})
	a.changed.Store(&changed)
	made, err := bootstrap(ctx, n, cfg)
	if err != nil {
		return nil, fmt.Errorf("make the first accounts: %w", err)
	}
	a.made = made
	a.followed.Store(n.End())
	ctx, a.stop = context.WithCancel(context.WithoutCancel(ctx))
	a.working.Go(func() { a.follow(ctx) })
	return a, nil
}

func (a *Auth) remember(cfg Config) error {
	var errs [4]error
	a.accounts, errs[0] = lru.New[string, *account](cfg.Logins)
	a.acls, errs[1] = lru.New[string, *acl](cfg.Streams)
	a.verified, errs[2] = lru.New[fingerprint, verdict](cfg.Verdicts)
	a.refused, errs[3] = lru.New[fingerprint, verdict](cfg.Verdicts)
	return errors.Join(errs[:]...)
}

// Made are the accounts that Open made a random password for. Nobody else knows
// it.
func (a *Auth) Made() []Credentials { return a.made }

// Close stops following the log.
func (a *Auth) Close() {
	a.stop()
	a.working.Wait()
}
