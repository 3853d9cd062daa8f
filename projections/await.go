package projections

import (
	"context"
	"database/sql"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// look is how often a read model is looked at that is waited for.
const look = 5 * time.Millisecond

// Await returns how far a read model is once it has come to a position, or when
// the time is up.
func Await(ctx context.Context, db *sql.DB, wanted eventstore.Position, patience time.Duration) (eventstore.Position, error) {
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticks := time.NewTicker(look)
	defer ticks.Stop()
	for {
		position, err := ReadPosition(ctx, db)
		if err != nil || position >= wanted {
			return position, err
		}
		select {
		case <-ticks.C:
		case <-patient.Done():
			return position, ctx.Err()
		}
	}
}
