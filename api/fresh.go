package api

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// patience is how long a list waits for what its caller wrote.
const patience = 2 * time.Second

// A read model knows of its own streams only: it may never learn that the log
// has passed a position of another one. So a caller waits for a change of what
// the list shows, and for that alone.

// Fresh is how callers see in lists what they wrote themselves. It is exported
// because huma looks into nothing else.
type Fresh struct {
	MinPosition string `query:"min_position" pattern:"^[0-9]{1,18}$" doc:"X-Write-Position of a change of what is listed here, which the answer is to show. It is waited for, up to two seconds."`
}

// Reached is how far a list is.
type Reached struct {
	Position string `header:"X-Read-Position" doc:"How far in the log this is: a change with this X-Write-Position or a smaller one is in it."`
}

// await waits until a read model shows what the caller wants to see.
func (s *server) await(ctx context.Context, db *sql.DB, in Fresh) (Reached, error) {
	wanted, _ := strconv.ParseUint(in.MinPosition, 10, 64) // nothing is 0
	reached, err := s.arrivals.Await(ctx, db, eventstore.Position(wanted), patience)
	if err != nil {
		return Reached{}, err
	}
	if uint64(reached) < wanted {
		return Reached{}, s.refuse(kindBehind, "the list has not come so far").with("position", strconv.FormatUint(uint64(reached), 10))
	}
	return Reached{Position: strconv.FormatUint(uint64(reached), 10)}, nil
}
