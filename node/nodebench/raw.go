package nodebench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/cockroachdb/pebble/v2"
)

// raw is the storage engine alone.
type raw struct {
	db      *pebble.DB
	now     func() time.Time
	random  *rand.Rand
	appends int
	took    time.Duration // of all turns
	syncs   *hdrhistogram.Histogram
}

func openRaw(dir string, now func() time.Time) (*raw, error) {
	db, err := pebble.Open(dir, &pebble.Options{MemTableSize: 32 << 20, Logger: quiet{}})
	if err != nil {
		return nil, fmt.Errorf("open the storage engine: %w", err)
	}
	return &raw{db: db, now: now, random: source(0), syncs: newLatencies()}, nil
}

func (r *raw) close() error {
	if err := r.db.Close(); err != nil {
		return fmt.Errorf("close the storage engine: %w", err)
	}
	return nil
}

func (r *raw) perSecond() float64 { return float64(r.appends) / r.took.Seconds() }

// write commits groups of appends, one after the other, each synced.
func (r *raw) write(turn time.Duration, group int) error {
	began := r.now()
	end := began.Add(turn)
	for before := began; before.Before(end); {
		if err := r.commit(group); err != nil {
			return err
		}
		after := r.now()
		_ = r.syncs.RecordValue(int64(after.Sub(before))) // longer than a minute is not recorded
		before = after
	}
	r.took += r.now().Sub(began)
	return nil
}

// commit writes what the node does for an append: a record of that size, an
// entry of the stream's index and a head.
func (r *raw) commit(group int) error {
	const record, position, head, perStream = eventBytes + 75, 8, 12, 5
	batch, value := r.db.NewBatch(), make([]byte, record)
	for range group {
		refill(value, r.random)
		i := r.appends
		if err := errors.Join(
			batch.Set(fmt.Appendf(nil, "L%08d", i), value, nil),
			batch.Set(fmt.Appendf(nil, "S%08d%08d", i/perStream, i), value[:position], nil),
			batch.Set(fmt.Appendf(nil, "Nbench-%08d", i/perStream), value[:head], nil),
		); err != nil {
			return err
		}
		r.appends++
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return batch.Close()
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}
