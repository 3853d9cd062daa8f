package signingkey

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/eventstore"
)

// Reseal seals the seeds that an old key sealed with the newest, and returns how
// many there were. It may be interrupted and started again.
func (k *Keys) Reseal(ctx context.Context, old func(sealed []byte) bool, meta eventstore.Metadata) (changed int, err error) {
	for range races {
		changed, err = k.tryReseal(ctx, old, meta)
		if !errors.Is(err, eventstore.ErrConflict) {
			break
		}
	}
	return changed, err
}

func (k *Keys) tryReseal(ctx context.Context, old func(sealed []byte) bool, meta eventstore.Metadata) (int, error) {
	state, at, err := eventstore.Load(ctx, k.Store, Decider, installation)
	if err != nil {
		return 0, fmt.Errorf("read the signing keys: %w", err)
	}
	stream := Decider.Stream(installation)
	var changes []Event
	for _, seed := range state.Seeds {
		if !old(seed.Sealed) {
			continue
		}
		plain, err := k.Sealer.Open(seed.Sealed, bound(seed.Version))
		if err != nil {
			return 0, fmt.Errorf("open signing key %d: %w", seed.Version, err)
		}
		sealed, err := k.Sealer.Seal(plain, bound(seed.Version))
		if err != nil {
			return 0, fmt.Errorf("seal signing key %d: %w", seed.Version, err)
		}
		events, err := Decider.Decide(state, Reseal{Version: seed.Version, SealedSeed: sealed, At: k.Now().UTC()})
		if err != nil {
			return 0, err
		}
		changes = append(changes, events...)
	}
	if len(changes) == 0 {
		return 0, nil
	}
	if _, err := k.Store.Append(ctx, stream, at, eventstore.NewEvents(stream, meta, changes...)...); err != nil {
		return 0, fmt.Errorf("append to %s after %d: %w", stream, at, err)
	}
	return len(changes), nil
}
