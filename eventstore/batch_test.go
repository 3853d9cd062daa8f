package eventstore

import (
	"math"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

func TestAPositionThatIsNotToldIsNone(t *testing.T) {
	t.Parallel()
	for commit, want := range map[uint64]Position{0: 0, 157: 157, math.MaxUint64 - 1: math.MaxUint64 - 1, math.MaxUint64: 0} {
		if got := (&batch{}).recorded(&esdb.RecordedEvent{Position: esdb.Position{Commit: commit}}); got.Position != want {
			t.Errorf("commit position %d: %d, want %d", commit, got.Position, want)
		}
	}
}
