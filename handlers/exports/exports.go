// Package exports writes many orders into one file, as a long job. It promises
// that a file is whole or not there, whenever a process ends; that it holds the
// orders that were placed before the export was asked for, each once; and that
// personal data is in it only if it was asked for, sealed while it is kept and
// gone after a day. It must not know who may ask.
package exports

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/handlers/jobs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are those of its tables.
func Migrations() fs.FS { return database.Embedded(migrations, "migrations") }

// Kind names the jobs.
const Kind = "order-export"

// Rules by which an export may be refused.
var (
	ErrGone   = domain.Rule("export-gone", "the file is not kept any more")
	ErrNotYet = domain.Rule("export-not-ready", "the export is not over, or did not succeed")
)

// Format is the form of a file.
type Format string

// The forms a file may have.
const (
	CSV     Format = "csv"
	NDJSON  Format = "ndjson"
	Parquet Format = "parquet"
)

// MediaType is that of a file.
func (f Format) MediaType() string {
	return map[Format]string{CSV: "text/csv", NDJSON: "application/x-ndjson", Parquet: "application/vnd.apache.parquet"}[f]
}

// Key is the place of an order in the list.
type Key struct {
	PlacedAt time.Time
	OrderID  string
}

// Orders reads the list of orders, the oldest first.
type Orders interface {
	// Page returns up to limit orders that come after a place and pass a
	// filter.
	Page(ctx context.Context, filter Filter, after Key, limit int) ([]Order, error)
}

// People knows who ordered.
type People interface {
	// Person fills in what is personal of an order; what was erased stays
	// empty.
	Person(ctx context.Context, o *Order) error
}

// Sealer encrypts what is kept.
type Sealer interface {
	Seal(plain, aad []byte) ([]byte, error)
	Open(sealed, aad []byte) ([]byte, error)
}

// Service makes files and keeps them for a while.
type Service struct {
	DB     *database.DB
	Orders Orders
	People People
	Sealer Sealer
	Now    func() time.Time
	Keep   time.Duration // of a file; 0 is a day
	// Fault, if set, is called between every two steps; its error stops the
	// work there, as the end of the process would. Only tests set it.
	Fault func(step string) error
}

// Kinds are the kinds of jobs this package does.
func (s *Service) Kinds() []jobs.Kind {
	return []jobs.Kind{{Name: Kind, Cancellable: true, Run: s.run}}
}

// pageSize is how many orders are read at once.
const pageSize = 500

// run makes a file. An interrupted one is begun again: what it had written is
// not seen by anybody, and is swept away.
func (s *Service) run(ctx context.Context, run *jobs.Run) (map[string]any, error) {
	id := run.Job.JobID
	filter, format, personal, err := parse(run.Job.Params)
	if err != nil {
		return nil, err
	}
	// An export ends where it was asked for: made again after an interruption
	// it has the same orders.
	if filter.PlacedTo.IsZero() || filter.PlacedTo.After(run.Job.StartedAt) {
		filter.PlacedTo = run.Job.StartedAt
	}
	file, err := s.file(ctx, id)
	if err != nil || file != nil {
		return file.result(), err
	}
	attempt := uuid.NewString()
	w := &chunks{service: s, ctx: ctx, job: id, attempt: attempt}
	n, err := s.write(ctx, run, newWriter(format, personal, w), filter, personal)
	if err == nil {
		err = w.flush()
	}
	if err == nil {
		err = s.fault("written")
	}
	if err != nil {
		s.forget(ctx, id, attempt)
		return nil, err
	}
	if err := s.finish(ctx, id, attempt, File{Format: format, Personal: personal, Orders: n, Bytes: w.total}); err != nil {
		return nil, err
	}
	if err := s.fault("finished"); err != nil {
		return nil, err
	}
	if file, err = s.file(ctx, id); err == nil && file == nil {
		err = ErrGone
	}
	return file.result(), err
}

// write writes every order that passes the filter.
func (s *Service) write(ctx context.Context, run *jobs.Run, w writer, filter Filter, personal bool) (n int, err error) {
	var after Key
	for {
		page, err := s.Orders.Page(ctx, filter, after, pageSize)
		if err != nil {
			return n, fmt.Errorf("list orders: %w", err)
		}
		for _, o := range page {
			after = Key{o.PlacedAt, o.OrderID}
			if personal {
				if err := s.People.Person(ctx, &o); err != nil {
					return n, fmt.Errorf("who ordered %s: %w", o.OrderID, err)
				}
			}
			if err := w.write(o); err != nil {
				return n, fmt.Errorf("write order %s: %w", o.OrderID, err)
			}
			n++
		}
		if err := s.fault("page"); err != nil {
			return n, err
		}
		if err := run.Progress(ctx, n, 0, ""); err != nil {
			return n, err
		}
		if len(page) < pageSize {
			return n, w.close()
		}
	}
}

func (s *Service) fault(step string) error {
	if s.Fault == nil {
		return nil
	}
	return s.Fault(step)
}
