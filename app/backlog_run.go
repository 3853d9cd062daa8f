package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/waybill-dev/waybill/configs"
)

// RunBacklog is the process that works off the past, as another one with the
// role webhooks has started it: that tells it the settings in the first line of
// in, asks for its metrics in others, and ends it by ending in. Opened is called
// with the settings before anything is begun.
func RunBacklog(ctx context.Context, in io.Reader, out io.Writer, opened func(configs.Config) (Options, error)) (err error) {
	lines := bufio.NewReader(in)
	text, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the settings: %w; this command is for \"waybill serve\" to start", err)
	}
	var task backlogTask
	if err := json.Unmarshal(text, &task); err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	options, err := opened(task.Settings)
	if err != nil {
		return err
	}
	options.Roles, options.backlogOf = []string{roleBacklog}, task.Owner
	a, err := New(task.Settings, options)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), task.Settings.ShutdownTimeout)
		defer cancel()
		err = errors.Join(err, a.Stop(ctx))
	}()
	if err := a.startBacklogOnly(ctx); err != nil {
		return err
	}
	asked := make(chan error, 1)
	go func() { asked <- a.answer(lines, out) }()
	select {
	case err := <-asked:
		return err
	case err := <-a.Failed():
		return err
	case <-ctx.Done():
		return nil
	}
}

// startBacklogOnly starts what deliveries need.
func (a *App) startBacklogOnly(ctx context.Context) error {
	if err := a.lockRoles(); err != nil {
		return err
	}
	for _, start := range []func(context.Context) error{a.startDatabase, a.startNode, a.startClient, a.startVault, a.startWebhooks} {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// answer answers questions until there are no more.
func (a *App) answer(questions *bufio.Reader, out io.Writer) error {
	registry, err := registryOf(append(a.hooks.meter.collectors(), newWebhookStatements(a),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})))
	if err != nil {
		return err
	}
	for {
		question, err := questions.ReadString('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read a question: %w", err)
		case question == metricsQuestion+"\n":
			if err := tellMetrics(registry, out); err != nil {
				return fmt.Errorf("tell the metrics: %w", err)
			}
		default:
			a.logger.Warn("a question nobody understands", slog.String("question", question))
		}
	}
}

// backlogTask is what a process that works off the past has to know.
type backlogTask struct {
	// Owner is who has started it. It has a name of that, which its successor
	// has, too: when it was killed that need not wait for its leases to run out.
	Owner    string
	Settings configs.Config
}

// backlogTask leaves out of the settings what listens or belongs to one process
// alone.
func (a *App) backlogTask() backlogTask {
	cfg := a.cfg
	cfg.EventStore, cfg.HTTPAddr, cfg.MetricsAddr, cfg.PprofAddr = a.eventStore, "", "", ""
	const connections = 8 // to Postgres: it writes one thing at a time
	cfg.DatabaseConnections = min(cfg.DatabaseConnections, connections)
	return backlogTask{Owner: a.owner, Settings: cfg}
}
