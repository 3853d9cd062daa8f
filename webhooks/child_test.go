package webhooks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/guard"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// childEnv makes this test binary a dispatcher instead, so that it can be
// killed and stopped as a process.
const childEnv = "WAYBILL_TEST_DISPATCHER"

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := dispatch(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// The Postgres of the tests ends with this process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/waybill-dev/waybill/database/databasetest.(*Process).launch.func1"))
}

// childConfig is what a dispatcher of its own needs to know.
type childConfig struct {
	Node  string // connection string
	Keys  string // folder
	URL   string // of Postgres; empty is the SQLite file
	Path  string
	Owner string
	Lease time.Duration
	Waits []time.Duration
	// Backlog says that it serves who is set aside, and nobody else.
	Backlog bool
}

// dispatch delivers until its standard input ends.
func dispatch(text string) error {
	var cfg childConfig
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	codec, err := eventstore.NewCodec(append(domain.EventTypes(placed{}, noted{}, hidden{}), endpoint.EventTypes()...)...)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	client, err := eventstore.NewClient(eventstore.Config{ConnectionString: cfg.Node, Codec: codec, Logger: logger})
	if err != nil {
		return err
	}
	defer client.Close()
	keys, err := vault.OpenKeyring(cfg.Keys, "")
	if err != nil {
		return err
	}
	place := database.Config{Path: cfg.Path, Migrations: ledger.Migrations()}
	if cfg.URL != "" {
		if place.Server, err = database.Connect(ctx, database.ServerConfig{URL: cfg.URL, Connections: 6}); err != nil {
			return err
		}
		defer place.Server.Close()
	}
	db, err := database.Open(ctx, place)
	if err != nil {
		return err
	}
	defer db.Close()
	books := &ledger.Ledger{Write: db.Write, Read: db.Read}
	return (&webhooks.Dispatcher{
		Store: client, Feed: func(cfg eventstore.FeedConfig) webhooks.Feed { return client.Feed(cfg) },
		End: client.End, Before: client.Before,
		Ledger: books, Sealer: keys, Catalogue: catalogue(), Policy: development, Client: guard.NewClient(guard.Config{Policy: development}),
		Endpoints: &webhooks.Endpoints{
			Store: client, Ledger: books, Sealer: keys, Catalogue: catalogue(), Policy: development, Now: time.Now,
		},
		Config: webhooks.Config{
			Owner: cfg.Owner, CursorKey: bytes.Repeat([]byte{7}, 32), Lease: cfg.Lease, Waits: cfg.Waits,
			BreakerWaits: []time.Duration{50 * time.Millisecond}, Timeout: 5 * time.Second, BacklogOnly: cfg.Backlog,
		},
		Logger: logger, Now: time.Now, Random: mathrand.Float64,
	}).Run(ctx)
}

// child is a dispatcher that runs as a process of its own.
type child struct {
	t      *testing.T
	cfg    childConfig
	cmd    *exec.Cmd
	output bytes.Buffer
}

func (c *child) start() {
	c.t.Helper()
	text, err := json.Marshal(c.cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	c.cmd = exec.Command(binary)
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	c.cmd.Stderr = &c.output
	// Its standard input stays open until this process ends.
	if _, err := c.cmd.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) kill() {
	c.signal(syscall.SIGKILL)
	_ = c.cmd.Wait()
}

func (c *child) signal(s os.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatalf("%v\n%s", err, c.output.String())
	}
}
