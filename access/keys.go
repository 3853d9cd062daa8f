package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
)

const (
	attempts = 5
	// patience is how long an unknown key id is answered from memory before
	// the stream is read again: a key may have been issued by another process,
	// but guessing ids must not cause reads.
	patience = time.Second
)

// Keys are the API keys of one tenant, kept in memory. Copies of it must not
// be made.
type Keys struct {
	Store    eventstore.Store
	Tenant   string // names the stream, "default" for the only one
	AdminKey string // always valid, scope admin; empty is none
	LinkKey  []byte // signs links to the console; without it there are none
	Random   io.Reader
	Now      func() time.Time

	writing sync.Mutex   // one change at a time
	mu      sync.RWMutex // of what follows
	now     known
}

// known is what is known of the stream.
type known struct {
	keys  apikey.State
	next  eventstore.Revision // the first revision that is not in keys
	asked time.Time           // when the stream was last read to its end
}

// NewKey describes a key to issue.
type NewKey struct {
	Name      string
	Scopes    []apikey.Scope
	PartnerID string // whose key it is, "" the shop's own
}

// IssuedKey is the only place where a key can be read.
type IssuedKey struct {
	apikey.Key
	Text string
}

// Authenticate recognises a key: [ErrUnknownKey] if it may do nothing, or a
// failure of the store if that cannot be told.
func (k *Keys) Authenticate(ctx context.Context, key string) (Credential, error) {
	if k.AdminKey != "" && same(key, k.AdminKey) {
		return Credential{KeyID: AdminID, Scopes: []apikey.Scope{apikey.Admin}}, nil
	}
	id, secret, ok := split(key)
	if !ok {
		return k.authenticateLink(ctx, key)
	}
	now, err := k.find(ctx, id)
	if err != nil {
		return Credential{}, err
	}
	found := now.keys.Keys[id]
	// An unknown id is compared as well, so that it takes as long.
	if !same(hash(secret), found.Hash) || found.ID == "" || !found.Valid() {
		return Credential{}, ErrUnknownKey
	}
	return Credential{
		KeyID: found.ID, Scopes: found.Scopes, PartnerID: found.PartnerID, Channels: now.keys.Partners[found.PartnerID].Channels,
	}, nil
}

// find returns what is known, and reads again if a key is not.
func (k *Keys) find(ctx context.Context, id string) (known, error) {
	now := k.known()
	if _, exists := now.keys.Keys[id]; exists || k.Now().Sub(now.asked) < patience {
		return now, nil
	}
	return k.refresh(ctx)
}

// Issue makes a key. The result is the only place where it can be read.
func (k *Keys) Issue(ctx context.Context, n NewKey, meta eventstore.Metadata) (IssuedKey, error) {
	id, secret, err := newKey(k.Random)
	if err != nil {
		return IssuedKey{}, err
	}
	state, err := k.handle(ctx, meta, apikey.Issue{
		KeyID: id, Name: n.Name, Scopes: n.Scopes, PartnerID: n.PartnerID, Hash: hash(secret), At: k.Now().UTC(),
	})
	if err != nil {
		return IssuedKey{}, err
	}
	return IssuedKey{Key: state.Keys[id], Text: join(id, secret)}, nil
}

// Revoke ends a key: [apikey.ErrNotFound] if there is none, nothing if it was
// revoked before.
func (k *Keys) Revoke(ctx context.Context, id string, meta eventstore.Metadata) error {
	_, err := k.handle(ctx, meta, apikey.Revoke{KeyID: id, At: k.Now().UTC()})
	return err
}

// List returns every key that was ever issued, oldest first.
func (k *Keys) List(ctx context.Context) ([]apikey.Key, error) {
	now, err := k.refresh(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]apikey.Key, 0, len(now.keys.Keys))
	for _, key := range now.keys.Keys {
		list = append(list, key)
	}
	slices.SortFunc(list, func(a, b apikey.Key) int {
		return cmp.Or(a.IssuedAt.Compare(b.IssuedAt), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// Stream is the stream of the keys: what [Keys.Observe] waits for.
func (k *Keys) Stream() string { return apikey.Decider.Stream(k.Tenant) }

// Observe takes note of an event of any stream, so that a key that another
// process issued or revoked is known at once. An event that is known already,
// or that comes before one that is missing, changes nothing.
func (k *Keys) Observe(r eventstore.Recorded) error {
	if r.Stream != k.Stream() {
		return nil
	}
	decoded, err := r.Decode()
	if err != nil {
		return fmt.Errorf("read event %d of %s: %w", r.Revision, r.Stream, err)
	}
	event, ok := decoded.(apikey.Event)
	if !ok {
		return fmt.Errorf("read event %d of %s: %T is not about API keys", r.Revision, r.Stream, decoded)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if r.Revision == k.now.next {
		k.now.keys, k.now.next = apikey.Decider.Evolve(k.now.keys, event), k.now.next+1
	}
	return nil
}

func (k *Keys) known() known {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.now
}

// refresh reads what is not known yet.
func (k *Keys) refresh(ctx context.Context) (known, error) {
	before := k.known()
	keys, revision, err := eventstore.Resume(ctx, k.Store, apikey.Decider, k.Tenant,
		eventstore.Snapshot[apikey.State]{State: before.keys, Revision: before.next - 1})
	if err != nil {
		return before, fmt.Errorf("read the API keys: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if revision >= k.now.next {
		k.now.keys, k.now.next = keys, revision+1
	}
	k.now.asked = k.Now()
	return k.now, nil
}

func (k *Keys) handle(ctx context.Context, meta eventstore.Metadata, c apikey.Command) (apikey.State, error) {
	k.writing.Lock()
	defer k.writing.Unlock()
	if meta.CommandID == "" {
		meta.CommandID = uuid.NewString()
	}
	var state apikey.State
	err := eventstore.ErrConflict
	for attempt := 0; attempt < attempts && errors.Is(err, eventstore.ErrConflict); attempt++ {
		state, err = k.try(ctx, meta, c)
	}
	return state, err
}

func (k *Keys) try(ctx context.Context, meta eventstore.Metadata, c apikey.Command) (apikey.State, error) {
	now, err := k.refresh(ctx)
	if err != nil {
		return now.keys, err
	}
	events, err := apikey.Decider.Decide(now.keys, c)
	if err != nil || len(events) == 0 {
		return now.keys, err
	}
	batch := eventstore.NewEvents(k.Stream(), meta, events...)
	// Of an empty stream the revision before the first is NoStream.
	if _, err := k.Store.Append(ctx, k.Stream(), now.next-1, batch...); err != nil {
		return now.keys, fmt.Errorf("append to %s: %w", k.Stream(), err)
	}
	now, err = k.refresh(ctx)
	return now.keys, err
}
