package projections

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/eventstore"
)

// FillingError says that a read model does not show yet what had happened before
// it was opened: it was deleted, or is of a new version.
type FillingError struct{ Model string }

func (e *FillingError) Error() string {
	return fmt.Sprintf("the read model %s is being filled", e.Model)
}

// Ready tells whether every read model has been filled, or else by a
// [FillingError] which one has not. One that was is never reported again, however
// far it is behind.
func (s *Set) Ready(ctx context.Context) error {
	for _, m := range s.models {
		filled, err := m.filled(ctx)
		if err != nil {
			return err
		}
		if !filled {
			return &FillingError{m.Name()}
		}
	}
	return nil
}

// noteEnd remembers how far empty read models have to be filled: what happens
// after they were opened is news. Where the store is away, whoever asks first
// whether they are filled decides.
func (s *Set) noteEnd(ctx context.Context) {
	var empty []*Model
	for _, m := range s.models {
		if m.filling.Load() {
			empty = append(empty, m)
		}
	}
	if len(empty) == 0 {
		return
	}
	end, err := s.log.End(ctx)
	if err != nil {
		return
	}
	for _, m := range empty {
		m.fillTo.Store(positionValue(end))
		m.filling.Store(end > 0)
	}
}

// filled tells whether a read model that was empty when it was opened shows what
// had happened by then.
func (m *Model) filled(ctx context.Context) (bool, error) {
	if !m.filling.Load() {
		return true, nil
	}
	until := eventstore.Position(m.fillTo.Load())
	if until == 0 {
		end, err := m.set.log.End(ctx)
		if err != nil {
			return false, fmt.Errorf("find the end of the log: %w", err)
		}
		m.fillTo.CompareAndSwap(0, positionValue(end))
		until = eventstore.Position(m.fillTo.Load())
	}
	missing, err := m.missing(ctx, until, 1)
	if err != nil || missing.Events > 0 {
		return false, err
	}
	m.filling.Store(false)
	return true, nil
}
