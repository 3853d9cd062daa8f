package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/waybill-dev/waybill/client"
)

type exportCommand struct {
	Orders exportOrdersCommand `cmd:"" help:"Write orders into a CSV, NDJSON or Parquet file."`
}

type exportOrdersCommand struct {
	report

	URL    string `name:"url" env:"WAYBILL_URL" help:"Base URL of the running platform; http-addr when empty."`
	APIKey string `name:"api-key" env:"WAYBILL_API_KEY" help:"An API key with scope orders:read; the platform's admin key when empty. The environment is the better place for it."`

	Out           string    `name:"out" short:"o" required:"" help:"File to write; - is standard output. One that is there is replaced once the export is whole."`
	Format        string    `name:"format" default:"csv" enum:"csv,ndjson,parquet" help:"Form of the file: csv, ndjson, parquet."`
	Status        string    `name:"status" help:"Only orders of this status."`
	PaymentStatus string    `name:"payment-status" help:"Only orders of this payment status."`
	Customer      string    `name:"customer" help:"Only orders of the customer with this id."`
	SKU           string    `name:"sku" help:"Only orders with a line of it."`
	Tag           string    `name:"tag" help:"Only orders that have it."`
	From          time.Time `name:"from" help:"Only orders placed at this time (RFC 3339) or later."`
	To            time.Time `name:"to" help:"Only orders placed before this time."`
	Personal      bool      `name:"personal-data" help:"Add who ordered: needs the scope customers:read."`
	Key           string    `name:"idempotency-key" help:"The same key again is the same export."`
}

// Run asks for the export, waits for its end, and fetches the file.
func (c exportOrdersCommand) Run(inv *invocation) error {
	api, err := dial(inv, c.URL, c.APIKey, "--url")
	if err != nil {
		return err
	}
	defer api.Close()
	begun, err := api.ExportOrders(inv.ctx, c.Key, client.NewExport{
		Format: c.Format, PersonalData: c.Personal,
		Filter: client.ExportFilter{Status: c.Status, PaymentStatus: c.PaymentStatus, CustomerID: c.Customer, SKU: c.SKU, Tag: c.Tag, PlacedFrom: c.From, PlacedTo: c.To},
	})
	if err != nil {
		return err
	}
	done, err := c.wait(inv, api, begun.Job)
	if err != nil {
		return err
	}
	if done.Status != "succeeded" {
		if done.Refusal != nil {
			return fmt.Errorf("the export %s: %s", done.Status, done.Refusal.Message)
		}
		return fmt.Errorf("the export was %s", done.Status)
	}
	if err := c.fetch(inv, api, done.ID); err != nil {
		return err
	}
	if c.Out == "-" {
		return nil
	}
	return c.print(inv.out, done, func(w io.Writer) {
		fmt.Fprintf(w, "%v orders\t%v bytes\t%s\n", done.Result["orders"], done.Result["bytes"], c.Out)
	})
}

func (c exportOrdersCommand) wait(inv *invocation, api *client.Client, state client.Job) (client.Job, error) {
	const pause = 500 * time.Millisecond
	bar := newProgress(inv.errOut, c.JSON)
	defer bar.finish()
	for state.FinishedAt.IsZero() {
		if !sleep(inv.ctx, pause) {
			return state, fmt.Errorf("stopped waiting; the export goes on as job %s", state.ID)
		}
		now, err := api.Job(inv.ctx, state.ID)
		switch {
		case err == nil:
			state = now
			bar.advance("orders", state.Done, max(state.Total, state.Done))
		case !passes(err):
			return state, err
		}
	}
	return state, nil
}

// fetch writes beside the file first: half of one never has its name.
func (c exportOrdersCommand) fetch(inv *invocation, api *client.Client, id string) error {
	if c.Out == "-" {
		_, err := api.ExportFile(inv.ctx, id, inv.out)
		return err
	}
	const owner = 0o600
	part := c.Out + ".part"
	file, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, owner) //nolint:gosec // where the caller wants it
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	_, err = api.ExportFile(inv.ctx, id, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, c.Out); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}
