package nodebench

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// raw commits groups of appends to the storage engine alone, one after the
// other, each synced: a record of the size the node stores, an entry of the
// stream's index and a head. It returns appends per second.
func (o *Options) raw(dir string, group int) (perSecond float64, err error) {
	const record, position, head, perStream = eventBytes + 75, 8, 12, 5
	db, err := pebble.Open(dir, &pebble.Options{MemTableSize: 32 << 20, Logger: quiet{}})
	if err != nil {
		return 0, fmt.Errorf("open the storage engine: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	value, random := make([]byte, record), source(0)
	began, appends := o.Now(), 0
	for end := began.Add(o.Duration); o.Now().Before(end); appends += group {
		batch := db.NewBatch()
		for i := appends; i < appends+group; i++ {
			refill(value, random)
			if err := errors.Join(
				batch.Set(fmt.Appendf(nil, "L%08d", i), value, nil),
				batch.Set(fmt.Appendf(nil, "S%08d%08d", i/perStream, i), value[:position], nil),
				batch.Set(fmt.Appendf(nil, "Nbench-%08d", i/perStream), value[:head], nil),
			); err != nil {
				return 0, err
			}
		}
		if err := batch.Commit(pebble.Sync); err != nil {
			return 0, fmt.Errorf("commit: %w", err)
		}
	}
	return float64(appends) / o.Now().Sub(began).Seconds(), nil
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}
