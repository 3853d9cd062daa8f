package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/client"
)

type ordersCommand struct {
	Show ordersShowCommand `cmd:"" help:"Show an order, as it is or as it was."`
	Diff ordersDiffCommand `cmd:"" help:"Compare two revisions of an order."`
	List ordersListCommand `cmd:"" help:"List orders, newest first, or search them."`
}

// shop is where the API of a running platform is, for what looks at orders.
type shop struct {
	URL    string `name:"url" env:"WAYBILL_URL" help:"Base URL of the running platform; http-addr when empty."`
	APIKey string `name:"api-key" env:"WAYBILL_API_KEY" help:"An API key with scope orders:read; the platform's admin key when empty. The environment is the better place for it."`
}

func (s shop) with(inv *invocation, do func(*client.Client) error) error {
	return site(s).with(inv, do)
}

type ordersShowCommand struct {
	shop

	Order    string    `arg:"" help:"Id of the order."`
	AsOf     time.Time `name:"as-of" xor:"when" help:"As it was at this time (RFC 3339)."`
	Revision *int64    `name:"revision" xor:"when" help:"As it was at this revision: the number in its ETag then."`
}

// Run shows an order as JSON, as the API does.
func (c ordersShowCommand) Run(inv *invocation) error {
	if c.Revision != nil && *c.Revision < 0 {
		return usageError{errors.New("--revision: revisions are counted from 0")}
	}
	return c.with(inv, func(api *client.Client) error {
		body, _, err := api.OrderAt(inv.ctx, c.Order, client.Moment{Revision: c.Revision, AsOf: c.AsOf})
		if err != nil {
			return err
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, body, "", "  "); err != nil {
			return err
		}
		_, err = fmt.Fprintln(inv.out, pretty.String())
		return err
	})
}

type ordersDiffCommand struct {
	shop
	report

	Order string `arg:"" help:"Id of the order."`
	From  int64  `name:"from" default:"0" help:"A revision: the number in the order's ETag then."`
	To    int64  `name:"to" default:"-1" help:"Another one; the present one when missing."`
}

// Run compares two revisions of an order.
func (c ordersDiffCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		diff, err := api.OrderDiff(inv.ctx, c.Order, c.From, c.To)
		if err != nil {
			return err
		}
		return c.print(inv.out, diff, func(w io.Writer) {
			fmt.Fprintf(w, "REVISION %d\tREVISION %d\tWHERE\n", diff.From, diff.To)
			for _, change := range diff.Changes {
				fmt.Fprintf(w, "%s\t%s\t%s\n", orDash(string(change.Old)), orDash(string(change.Value)), change.Path)
			}
			for _, e := range diff.Events {
				fmt.Fprintf(w, "%s\t%s\t%d\n", timeText(e.At), e.Type, e.Revision)
			}
		})
	})
}

type ordersListCommand struct {
	shop
	report

	Query  string `name:"query" short:"q" help:"Words that an order has: number, SKU, title, tag."`
	Status string `name:"status" help:"Only with this status."`
	Limit  int    `name:"limit" default:"20" help:"How many, up to 200."`
}

// Run lists orders.
func (c ordersListCommand) Run(inv *invocation) error {
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	for name, value := range map[string]string{"q": c.Query, "status": c.Status} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return c.with(inv, func(api *client.Client) error {
		page, err := api.Orders(inv.ctx, query)
		if err != nil {
			return err
		}
		return c.print(inv.out, page.Orders, func(w io.Writer) {
			fmt.Fprintln(w, "NUMBER\tSTATUS\tPAYMENT\tFULFILMENT\tID")
			for _, o := range page.Orders {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", o.Number, o.Status, o.PaymentStatus, o.FulfilmentStatus, o.ID)
			}
		})
	})
}
