package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

type nodeBackupCommand struct {
	nodeStore

	Dir  string `arg:"" type:"path" help:"Directory to make. Until the backup is complete it is DIR.partial. It has the events only: the rest of the data folder, read models, keys and endpoints, is copied while the platform is stopped."`
	JSON bool   `name:"json" help:"Print what was backed up as JSON."`
}

// Run makes the backup with this process's own rights, also while another one
// serves the data.
func (c nodeBackupCommand) Run(inv *invocation) error {
	bar := newProgress(inv.errOut, c.JSON)
	var m *node.Manifest
	began := time.Now()
	err := c.run(inv,
		func(cfg node.Config) (err error) {
			m, err = backUpStopped(inv.ctx, cfg, c.Dir, nodeProgress(bar))
			return err
		},
		func(o *grpcapi.Operator) (err error) {
			m, err = backUpServed(inv.ctx, o, c.Dir, nodeProgress(bar))
			return err
		})
	bar.finish()
	if err != nil {
		return err
	}
	return c.print(inv.out, m, time.Since(began))
}

func backUpStopped(ctx context.Context, cfg node.Config, dir string, progress func(node.Progress)) (m *node.Manifest, err error) {
	n, err := node.Open(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	return n.Backup(ctx, dir, progress)
}

func backUpServed(ctx context.Context, o *grpcapi.Operator, dir string, progress func(node.Progress)) (*node.Manifest, error) {
	s, release, err := o.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return node.CopySnapshot(ctx, vfs.Default, s, dir, progress)
}

func (c nodeBackupCommand) print(w io.Writer, m *node.Manifest, took time.Duration) error {
	size := uint64(m.Size())
	if c.JSON {
		return json.NewEncoder(w).Encode(struct {
			Dir   string    `json:"dir"`
			ID    string    `json:"id"`
			End   uint64    `json:"end"`
			Taken time.Time `json:"taken"`
			Files int       `json:"files"`
			Bytes uint64    `json:"bytes"`
		}{c.Dir, m.ID.String(), m.End, m.Taken, len(m.Files), size})
	}
	_, err := fmt.Fprintf(w, "backup    %s\nstore     %s up to %d, as it was at %s\nfiles     %d, %s in %.1f s\n",
		c.Dir, m.ID, m.End, m.Taken.Format(time.RFC3339), len(m.Files), mebibytes(size), took.Seconds())
	return err
}

type nodeRestoreCommand struct {
	Data   string `name:"data" type:"path" placeholder:"DIR" help:"Short for --data-dir."`
	Backup string `arg:"" type:"existingdir" help:"Directory that a backup has made."`
	Verify bool   `name:"verify" help:"Check all that was restored, as the verify command does, and not only the newest events."`
	JSON   bool   `name:"json" help:"Print what was restored as JSON."`
}

// Run restores below the data folder.
func (c nodeRestoreCommand) Run(inv *invocation) error {
	bar := newProgress(inv.errOut, c.JSON)
	cfg := nodeStore{Data: c.Data}.config(inv)
	done, err := node.Restore(inv.ctx, cfg, c.Backup, nodeProgress(bar))
	if err == nil && c.Verify {
		err = c.verify(inv, cfg, bar)
	}
	bar.finish()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(inv.out).Encode(done)
	}
	fmt.Fprintf(inv.out, "restored  %s, as %s was at %s, up to %d\nin        %s\n", done.ID, done.Of, done.Taken.Format(time.RFC3339), done.End, cfg.Dir)
	fmt.Fprintf(inv.out, "What was recorded after the backup is lost. Read models and cursors beside the events may have seen it: in %s remove the folder projections and the files webhooks.db and log.id, or restore theirs of the same moment.\n",
		filepath.Dir(cfg.Dir))
	return nil
}

func (c nodeRestoreCommand) verify(inv *invocation, cfg node.Config, bar *progress) error {
	report, err := node.VerifyDir(inv.ctx, cfg, node.Verification{Progress: nodeProgress(bar)})
	if err == nil && !report.OK() {
		err = fmt.Errorf("what was restored is damaged: %s", report.Problems[0])
	}
	return err
}
