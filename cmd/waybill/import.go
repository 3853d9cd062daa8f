package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/imports/retail"
)

type importCommand struct {
	Retail importRetailCommand `cmd:"" help:"Import the Online Retail data set (UCI): one order per invoice, shipped; cancelled invoices are returned to the orders they are of. A second run adds nothing."`
}

type importRetailCommand struct {
	File     string        `arg:"" help:"The CSV file, plain or .gz."`
	Server   string        `name:"server" env:"WAYBILL_SERVER" help:"Base URL of the running platform; http-addr when empty."`
	Limit    int           `name:"limit" help:"Import only the first so many invoices; 0 is all."`
	Workers  int           `name:"workers" default:"16" help:"Requests under way at once."`
	Patience time.Duration `name:"patience" default:"5m" help:"How long to wait for a platform that is away."`
	Orders   bool          `name:"orders-only" help:"Ship nothing: cancelled invoices are credit notes, and orders stay as they are placed."`
	JSON     bool          `name:"json" help:"Print the report as JSON."`
}

// Run reads the file, imports it and prints the account of it.
func (c importRetailCommand) Run(inv *invocation) error {
	if c.Workers < 1 || c.Limit < 0 {
		return usageError{fmt.Errorf("--workers needs at least 1 and --limit at least 0")}
	}
	invoices, err := readRetail(c.File, c.Limit)
	if err != nil {
		return err
	}
	api, err := connect(inv, c.Server)
	if err != nil {
		return err
	}
	defer api.Close()
	bar := newProgress(inv.errOut, c.JSON)
	importer := retail.Importer{API: api, Location: "main", Workers: c.Workers, Patience: c.Patience, Returns: !c.Orders, Advance: bar.advance}
	report, err := importer.Run(inv.ctx, invoices)
	bar.finish()
	if err != nil {
		return fmt.Errorf("%w; run the same command again to go on where it stopped", err)
	}
	return c.print(inv.out, report)
}

func (c importRetailCommand) print(w io.Writer, report retail.Report) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(report)
	}
	return report.Print(w)
}

// readRetail reads the first invoices of a file, plain or compressed; a limit
// of 0 is all.
func readRetail(path string, limit int) ([]retail.Invoice, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var r io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		unzipped, err := gzip.NewReader(file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		defer unzipped.Close()
		r = unzipped
	}
	invoices, err := retail.Read(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if limit > 0 {
		invoices = invoices[:min(limit, len(invoices))]
	}
	return invoices, nil
}

// connect makes a client of the running platform for the platform's owner.
func connect(inv *invocation, server string) (*client.Client, error) {
	return dial(inv, server, "", "--server")
}

// dial makes a client of the running platform that the flag names. Without a
// key it has the admin key of the settings or else the one that `waybill up`
// left in the data folder.
func dial(inv *invocation, server, key, flag string) (*client.Client, error) {
	if server == "" {
		server = "http://" + inv.config.HTTPAddr
	}
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	if key == "" {
		key = inv.config.AdminKey
	}
	if key == "" {
		path := filepath.Join(inv.config.DataDir, app.AdminKeyFile)
		stored, err := os.ReadFile(path)
		if err != nil {
			return nil, usageError{fmt.Errorf("no API key: set WAYBILL_ADMIN_KEY to the platform's admin key, or run beside the platform, which keeps the one it made in %s", path)}
		}
		key = strings.TrimSpace(string(stored))
	}
	api := client.New(server, key)
	if err := api.Ready(inv.ctx); err != nil {
		api.Close()
		return nil, fmt.Errorf("no platform answers at %s: %w; start one with `waybill up` or `waybill serve`, or name it with %s", server, err, flag)
	}
	return api, nil
}
