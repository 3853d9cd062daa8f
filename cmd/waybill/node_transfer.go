package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/eventstore/transfer"
	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

type nodeExportCommand struct {
	Data     string        `name:"data" type:"path" placeholder:"DIR" help:"Short for --data-dir."`
	File     string        `arg:"" type:"path" help:"File to make, lines of JSON compressed with zstd. Until it is complete it is FILE.partial."`
	After    string        `name:"after" type:"existingfile" placeholder:"FILE" help:"An earlier export to continue: write only what was recorded since."`
	Prefix   string        `name:"prefix" help:"Export only streams whose names begin with this."`
	Patience time.Duration `name:"patience" default:"5m" help:"How long to wait for an event store that is away."`
	JSON     bool          `name:"json" help:"Print what was exported as JSON."`
}

// Run exports.
func (c nodeExportCommand) Run(inv *invocation) error {
	if err := mustHaveEvents(inv, nodeStore{Data: c.Data}.dir(inv)); err != nil {
		return err
	}
	return withEvents(inv, c.Data, func(ctx context.Context, connection string) error {
		bar := newProgress(inv.errOut, c.JSON)
		e := transfer.Export{
			From: transfer.Database{ConnectionString: connection, Patience: c.Patience, Logger: inv.logger, Waits: waits(inv, bar)},
			File: c.File, After: c.After, Prefix: c.Prefix, Now: time.Now, Progress: transferProgress(bar),
		}
		began := time.Now()
		done, err := e.Run(ctx)
		bar.finish()
		if err != nil {
			return again(err)
		}
		if c.JSON {
			return json.NewEncoder(inv.out).Encode(done)
		}
		seconds := max(time.Since(began).Seconds(), 0.001)
		_, err = fmt.Fprintf(inv.out, "exported  %d events, %s, to %s\ntook      %.1f s: %.0f events/s\n",
			done.Events, mebibytes(done.Bytes), done.File, seconds, float64(done.Events-done.Resumed)/seconds)
		return err
	})
}

type nodeImportCommand struct {
	Data     string        `name:"data" type:"path" placeholder:"DIR" help:"Short for --data-dir."`
	File     string        `arg:"" type:"existingfile" help:"File that an export has made. Streams whose names begin with $ stay behind."`
	After    []string      `name:"after" type:"existingfile" sep:"none" placeholder:"FILE" help:"An earlier export that FILE continues (export --after), and that is imported already; all of them, the oldest first. Needed when events of them were renumbered."`
	Prefix   string        `name:"prefix" help:"Import only streams whose names begin with this."`
	Workers  int           `name:"workers" default:"32" help:"Appends under way at once. Events of one stream, and of one $$correlationId, keep their order; with 1 all do."`
	Renumber bool          `name:"renumber" help:"Let streams whose first events were scavenged begin at revision 0. Without it a file with such streams is refused."`
	Patience time.Duration `name:"patience" default:"5m" help:"How long to wait for an event store that is away."`
	JSON     bool          `name:"json" help:"Print what was imported as JSON."`
}

// Run imports.
func (c nodeImportCommand) Run(inv *invocation) error {
	if c.Workers < 1 {
		return usageError{errors.New("--workers needs at least 1")}
	}
	return withEvents(inv, c.Data, func(ctx context.Context, connection string) error {
		bar := newProgress(inv.errOut, c.JSON)
		i := transfer.Import{
			To:   transfer.Database{ConnectionString: connection, Patience: c.Patience, Logger: inv.logger, Waits: waits(inv, bar)},
			File: c.File, After: c.After, Prefix: c.Prefix, Workers: c.Workers, Renumber: c.Renumber, Progress: transferProgress(bar),
		}
		began := time.Now()
		done, err := i.Run(ctx)
		bar.finish()
		if err != nil {
			return again(err)
		}
		if c.JSON {
			return json.NewEncoder(inv.out).Encode(done)
		}
		seconds := max(time.Since(began).Seconds(), 0.001)
		_, err = fmt.Fprintf(inv.out, "imported  %d events (%d of them were there already and were not sent again), the metadata of %d streams, %d streams deleted for ever; %d of the server's own events stayed behind\ntook      %.1f s: %.0f events/s\n"+
			"Positions are new ones: read models and cursors of the other database do not fit and are built anew; persistent subscriptions are made anew.\n",
			done.Events, done.Skipped, done.Metadata, done.Tombstones, done.Left["system"], seconds, float64(done.Events)/seconds)
		return err
	})
}

// waits says why nothing moves, and what to do.
func waits(inv *invocation, p *progress) func(error, time.Duration) {
	return func(cause error, left time.Duration) {
		p.interrupt()
		fmt.Fprintf(inv.errOut, "waiting: the event store takes nothing now: %s\nIt is asked again for %s (--patience), and all goes on as soon as the cause is gone. Or stop with Ctrl-C, and run the same command later: it goes on where it stopped.\n",
			cause, left.Round(time.Second))
	}
}

// again is for what can be repeated.
func again(err error) error {
	if gap := (*transfer.RenumberError)(nil); errors.As(err, &gap) {
		return fmt.Errorf("%w (--renumber)", err)
	}
	if earlier := (*transfer.EarlierError)(nil); errors.As(err, &earlier) {
		return fmt.Errorf("%w (--after)", err)
	}
	if conflict := (*transfer.ConflictError)(nil); errors.As(err, &conflict) || errors.Is(err, transfer.ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w; run the same command again to go on where it stopped", err)
}

func transferProgress(p *progress) transfer.Progress {
	return func(stage string, done, total uint64) {
		switch stage {
		case transfer.StageExport:
			advanceMebibytes(p, "log", done, total)
		case transfer.StageCheck:
			advanceMebibytes(p, stage, done, total)
		default:
			p.advance(stage, int(done), int(total))
		}
	}
}

// withServed asks first whether it is reached: a transfer would wait for it.
func withServed(ctx context.Context, locked *node.LockedError, work func(ctx context.Context, connection string) error) error {
	connection := "esdb://" + locked.Address + "?tls=false"
	const moment = 10 * time.Second
	reach, cancel := context.WithTimeout(ctx, moment)
	defer cancel()
	if err := operate(connection, func(o *grpcapi.Operator) error { return o.Reach(reach) }); err != nil {
		return fmt.Errorf("%w, which was not reached: %w; if it has TLS, say how to reach it with --eventstore 'esdb://LOGIN:PASSWORD@%s?tlsCaFile=FILE'",
			locked, err, locked.Address)
	}
	return work(ctx, connection)
}

// mustHaveEvents keeps a command that reads from making an empty event store in
// a folder whose name was mistyped.
func mustHaveEvents(inv *invocation, dir string) error {
	if _, err := os.Stat(dir); err != nil && inv.config.EventStore == "" {
		return fmt.Errorf("there is no event store: %w; name its data folder with --data-dir, or a server with --eventstore", err)
	}
	return nil
}

// withEvents finds the events: those that --eventstore names, or else the
// embedded ones, which it serves meanwhile when nobody else does.
func withEvents(inv *invocation, data string, work func(ctx context.Context, connection string) error) (err error) {
	if inv.config.EventStore != "" {
		return work(inv.ctx, inv.config.EventStore)
	}
	cfg := inv.config
	if data != "" {
		cfg.DataDir = data
	}
	cfg.NodeAddr, cfg.Node.TLSCert, cfg.Node.TLSKey = "127.0.0.1:0", "", ""
	cfg.Node.ScavengeEvery = 0 // an export is of what is there
	n, err := app.StartNode(cfg, inv.logger)
	if locked, ok := errors.AsType[*node.LockedError](err); ok && locked.Address != "" {
		return withServed(inv.ctx, locked, work)
	}
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(inv.ctx), cfg.ShutdownTimeout)
		defer cancel()
		err = errors.Join(err, n.Stop(ctx))
	}()
	return unlessFailed(inv.ctx, n.Failed(), func(ctx context.Context) error { return work(ctx, n.ConnectionString()) })
}

// unlessFailed ends the work with the store that runs for it: such a store takes
// nothing until it is started again, and waiting for it is in vain.
func unlessFailed(ctx context.Context, failed <-chan error, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case cause := <-failed:
			if cause != nil { // it is told to one
				cancel(&storeFailedError{cause})
			}
		case <-ended:
		}
	}()
	err := work(ctx)
	if failed, ok := errors.AsType[*storeFailedError](context.Cause(ctx)); ok && err != nil {
		return again(failed.cause)
	}
	return err
}

type storeFailedError struct{ cause error }

func (e *storeFailedError) Error() string { return e.cause.Error() }
