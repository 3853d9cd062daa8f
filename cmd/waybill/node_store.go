package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

// nodeStoreCommands work on the embedded event store's data, whether or not it
// is being served.
type nodeStoreCommands struct {
	Verify   nodeVerifyCommand   `cmd:"" help:"Check every file, event and index, and name what is broken. Exits with 1 when anything is."`
	Backup   nodeBackupCommand   `cmd:"" help:"Copy the events to a directory, also while they are served. Repeat it after an interruption."`
	Restore  nodeRestoreCommand  `cmd:"" help:"Make the events of a backup. Repeat it after an interruption."`
	Scavenge nodeScavengeCommand `cmd:"" help:"Remove the events that no stream shows any more, and give their room back."`
	Export   nodeExportCommand   `cmd:"" help:"Write all events to a file, from the embedded event store or any EventStoreDB (--eventstore)."`
	Import   nodeImportCommand   `cmd:"" help:"Append the events of a file, to the embedded event store or any EventStoreDB (--eventstore)."`
}

// nodeStore says which data.
type nodeStore struct {
	Data    string `name:"data" type:"path" placeholder:"DIR" help:"Short for --data-dir."`
	Connect string `name:"connect" placeholder:"esdb://…" help:"How to reach the process that serves the data, when that needs TLS: esdb://admin:PASSWORD@host:port?tlsCaFile=FILE."`
}

func (s nodeStore) dir(inv *invocation) string {
	cfg := inv.config
	if s.Data != "" {
		cfg.DataDir = s.Data
	}
	return app.EventsDir(cfg)
}

func (s nodeStore) config(inv *invocation) node.Config {
	cfg := inv.config.Node
	return node.Config{
		Dir: s.dir(inv), Logger: inv.logger, Now: time.Now, Index: cfg.Index,
		MinFreeBytes: uint64(max(cfg.MinFreeBytes, 0)),
	}
}

// run opens the data, or asks the process that serves it.
func (s nodeStore) run(inv *invocation, stopped func(node.Config) error, served func(*grpcapi.Operator) error) error {
	if s.Connect != "" {
		return operate(s.Connect, served)
	}
	cfg := s.config(inv)
	if _, err := os.Stat(cfg.Dir); err != nil {
		return fmt.Errorf("there is no event store: %w; name its data folder with --data-dir", err)
	}
	err := stopped(cfg)
	locked, ok := errors.AsType[*node.LockedError](err)
	if !ok || locked.Address == "" {
		return err
	}
	err = operate("esdb://"+locked.Address+"?tls=false", served)
	if unreached, ok := errors.AsType[*grpcapi.UnreachedError](err); ok {
		return fmt.Errorf("%w, which was not reached: %w; if it has TLS, say how to reach it with --connect", locked, unreached)
	}
	return err
}

func operate(connection string, served func(*grpcapi.Operator) error) error {
	o, err := grpcapi.NewOperator(connection)
	if err != nil {
		return usageError{err}
	}
	defer o.Close()
	return served(o)
}

// nodeProgress shows sizes in MiB and everything else by number.
func nodeProgress(p *progress) func(node.Progress) {
	return func(at node.Progress) {
		switch at.Stage {
		case "files", "backup", "restore", "log":
			advanceMebibytes(p, at.Stage, at.Done, at.Total)
		default:
			p.advance(at.Stage, int(at.Done), int(at.Total))
		}
	}
}

// advanceMebibytes is at the end only when all is done.
func advanceMebibytes(p *progress, stage string, done, total uint64) {
	const mebi = 1 << 20
	of := int(total/mebi) + 1
	at := min(int(done/mebi), of-1)
	if done >= total {
		at = of
	}
	p.advance(stage+" MiB", at, of)
}

func mebibytes(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
