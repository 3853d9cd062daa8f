package signingkey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// Sealer encrypts what is stored.
type Sealer interface {
	Seal(plain, associated []byte) ([]byte, error)
	Open(sealed, associated []byte) ([]byte, error)
}

const (
	installation = "default"
	seedSize     = 32
	races        = 8
	// patience is how long a rotation in another process may go unnoticed. The
	// seed before it signs as well that long.
	patience = 10 * time.Second
)

// Keys are the keys of all partners. Its exported fields are set before its
// first use, all of them; copies must not be made.
type Keys struct {
	Store  eventstore.Store
	Sealer Sealer
	Random io.Reader
	Now    func() time.Time

	mu    sync.Mutex
	asked time.Time
	state State
	keys  map[string][]signing.LiveKey // by tenant, of the state
}

// Public is a key as receivers see it.
type Public struct {
	ID        string
	PublicKey string // whpk_…
	Since     time.Time
	NotAfter  time.Time // zero while no other has followed it
}

// Live returns the keys of a tenant that ever signed; the signer leaves out
// those whose time is over. The first key is made when it is needed.
func (k *Keys) Live(ctx context.Context, tenant string) ([]signing.LiveKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.Now(); k.keys == nil || now.Sub(k.asked) >= patience {
		// While the log is away, the keys that are known do.
		if err := k.refresh(ctx, now); err != nil && k.keys == nil {
			return nil, err
		}
	}
	if keys, ok := k.keys[tenant]; ok {
		return keys, nil
	}
	keys, err := k.derive(tenant)
	if err == nil {
		k.keys[tenant] = keys
	}
	return keys, err
}

// Public returns the keys of a tenant that sign, or will be verified a little
// longer: the oldest first.
func (k *Keys) Public(ctx context.Context, tenant string) ([]Public, error) {
	return k.public(ctx, tenant, func(key signing.LiveKey, now time.Time) bool { return key.Until.IsZero() || now.Before(key.Until) })
}

// Ever returns the keys of a tenant that ever signed, the oldest first: with
// those that sign no more, statements of then can be verified still.
func (k *Keys) Ever(ctx context.Context, tenant string) ([]Public, error) {
	return k.public(ctx, tenant, func(signing.LiveKey, time.Time) bool { return true })
}

func (k *Keys) public(ctx context.Context, tenant string, shown func(signing.LiveKey, time.Time) bool) ([]Public, error) {
	keys, err := k.Live(ctx, tenant)
	if err != nil {
		return nil, err
	}
	now := k.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []Public
	for i, key := range keys {
		if shown(key, now) {
			list = append(list, Public{ID: key.ID, PublicKey: key.Public(), Since: k.state.Seeds[i].Since, NotAfter: key.Until})
		}
	}
	return list, nil
}

// Rotate adds a key for every tenant; those before sign beside it as long as
// the overlap says. Asking twice with one command id is harmless; with another
// overlap it is refused.
func (k *Keys) Rotate(ctx context.Context, overlap time.Duration, meta eventstore.Metadata) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(ctx, k.Now()); err != nil { // makes the first, which the new one follows
		return err
	}
	if err := k.add(ctx, overlap, meta); err != nil {
		return err
	}
	return k.refresh(ctx, k.Now())
}

// refresh reads the seeds. The lock must be held.
func (k *Keys) refresh(ctx context.Context, now time.Time) error {
	state, err := k.load(ctx)
	if err == nil && len(state.Seeds) == 0 {
		meta := eventstore.Metadata{CommandID: eventstore.DeriveID("signing key", "first"), Actor: eventstore.Actor{Type: "system", ID: "webhooks"}}
		if err = k.add(ctx, 0, meta); err == nil {
			state, err = k.load(ctx)
		}
	}
	if err != nil {
		return err
	}
	if k.keys == nil || len(state.Seeds) != len(k.state.Seeds) {
		k.keys = map[string][]signing.LiveKey{}
	}
	k.state, k.asked = state, now
	return nil
}

func (k *Keys) load(ctx context.Context) (State, error) {
	state, _, err := eventstore.Load(ctx, k.Store, Decider, installation)
	if err != nil {
		return State{}, fmt.Errorf("read the signing keys: %w", err)
	}
	return state, nil
}

func (k *Keys) add(ctx context.Context, overlap time.Duration, meta eventstore.Metadata) (err error) {
	for range races {
		if err = k.tryAdd(ctx, overlap, meta); !errors.Is(err, eventstore.ErrConflict) {
			break
		}
	}
	return err
}

func (k *Keys) tryAdd(ctx context.Context, overlap time.Duration, meta eventstore.Metadata) error {
	state, at, err := eventstore.Load(ctx, k.Store, Decider, installation)
	if err != nil {
		return fmt.Errorf("read the signing keys: %w", err)
	}
	version := len(state.Seeds) + 1
	sealed, err := k.seal(version)
	if err != nil {
		return err
	}
	events, err := Decider.Decide(state, Rotate{
		Version: version, RotationID: meta.CommandID, SealedSeed: sealed, Overlap: overlap, At: k.Now().UTC(),
	})
	if err != nil || len(events) == 0 {
		return err
	}
	stream := Decider.Stream(installation)
	// The ids follow from the seed as well: who is told otherwise under the same
	// command meets a conflict, and is answered by what is in the log.
	if _, err = k.Store.Append(ctx, stream, at, eventstore.NewEvents(stream, meta, events...)...); err != nil {
		return fmt.Errorf("append to %s after %d: %w", stream, at, err)
	}
	return nil
}

func bound(version int) []byte { return []byte("signing key|" + strconv.Itoa(version)) }

func (k *Keys) seal(version int) ([]byte, error) {
	seed := make([]byte, seedSize)
	if _, err := io.ReadFull(k.Random, seed); err != nil {
		return nil, fmt.Errorf("read random bytes for a signing key: %w", err)
	}
	sealed, err := k.Sealer.Seal(seed, bound(version))
	if err != nil {
		return nil, fmt.Errorf("seal a signing key: %w", err)
	}
	return sealed, nil
}

func (k *Keys) derive(tenant string) ([]signing.LiveKey, error) {
	var keys []signing.LiveKey
	for _, seed := range k.state.Seeds {
		opened, err := k.Sealer.Open(seed.Sealed, bound(seed.Version))
		if err != nil {
			return nil, fmt.Errorf("open signing key %d: %w", seed.Version, err)
		}
		key, err := signing.KeyOf(opened, "tenant "+tenant)
		if err != nil {
			return nil, err
		}
		keys = append(keys, signing.LiveKey{Key: key, ID: strconv.Itoa(seed.Version), Until: seed.NotAfter})
	}
	return keys, nil
}
