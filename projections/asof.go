package projections

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
)

// AsOf says how far a read model in a file of its own goes.
type AsOf struct {
	File  string              // SQLite; refused where it is there
	Until eventstore.Position // of the last event
	Rate  int                 // the most events in a second; 0 is as many as there are
	// Advance hears how far it is; nil tells nobody.
	Advance func(events int64, at eventstore.Position)
}

// FillAsOf makes a file with a read model as it was when the log ended at a
// position: what the code of today makes of the events up to there, with what
// was decided about them since. It reads the catalogue of the live read models,
// if cfg says where there is one, and changes nothing of them. The file has its
// name once it is whole, and needs no other beside it.
func FillAsOf(ctx context.Context, p Projection, cfg Config, log Log, o AsOf) (filled Filled, err error) {
	if err := absent(o.File); err != nil {
		return filled, err
	}
	if cfg.catalogue, err = existingCatalogue(ctx, cfg); err != nil {
		return filled, err
	}
	if cfg.catalogue != nil {
		defer func() { err = errors.Join(err, cfg.catalogue.Close()) }()
	}
	folder, err := os.MkdirTemp(filepath.Dir(o.File), ".waybill-as-of-")
	if err != nil {
		return filled, fmt.Errorf("make a folder beside the file: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	cfg.Dir, cfg.Server, cfg.Build = folder, nil, 0
	advance := func(r *Runner) {
		if o.Advance != nil {
			o.Advance(r.Events(), r.Position())
		}
	}
	if filled, err = fillAlone(ctx, p, cfg, log, o.Until, Rebuild{Rate: o.Rate}, advance); err != nil {
		return filled, err
	}
	made := storePath(folder, p.Name(), p.Version(), 0)
	if err := database.Alone(ctx, made); err != nil {
		return filled, err
	}
	if err := absent(o.File); err != nil {
		return filled, err
	}
	return filled, os.Rename(made, o.File)
}

// absent makes sure that no file is overwritten.
func absent(file string) error {
	_, err := os.Lstat(file)
	if err == nil {
		return fmt.Errorf("%s is there: %w", file, fs.ErrExist)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// existingCatalogue opens the catalogue, and makes none: before the first start
// nothing was decided.
func existingCatalogue(ctx context.Context, cfg Config) (*Catalogue, error) {
	if cfg.Server == nil {
		if _, err := os.Stat(cataloguePath(cfg)); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	return OpenCatalogue(ctx, cfg)
}
