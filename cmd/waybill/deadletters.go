package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/waybill-dev/waybill/client"
)

type deadLettersCommand struct {
	List    deadLettersListCommand    `cmd:"" help:"List them, with the reason."`
	Show    deadLettersShowCommand    `cmd:"" help:"Show one with its event, every error and what was decided, as JSON."`
	Retry   deadLettersRetryCommand   `cmd:"" help:"Have one handled once more, or those of a filter."`
	Edit    deadLettersEditCommand    `cmd:"" help:"Have an edited copy handled in the place of an event."`
	Discard deadLettersDiscardCommand `cmd:"" help:"Decide that one is not handled."`
}

// letterFilter narrows what is listed or retried.
type letterFilter struct {
	Type   string    `name:"type" help:"Type of the event, such as OrderPlaced."`
	Stream string    `name:"stream" help:"Stream of the event."`
	After  time.Time `name:"after" help:"Put aside at this time or later."`
	Before time.Time `name:"before" help:"Put aside before this time."`
}

type deadLettersListCommand struct {
	adminSite
	report
	letterFilter

	Handler string `arg:"" optional:"" help:"The handler; all of them when empty."`
	Status  string `name:"status" help:"parked, retrying, failed, handled or discarded; those that are neither handled nor discarded when empty."`
}

func (c deadLettersListCommand) query() url.Values {
	query := url.Values{"limit": {"200"}}
	for name, value := range map[string]string{"handler": c.Handler, "status": c.Status, "type": c.Type, "stream": c.Stream} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"after": c.After, "before": c.Before} {
		if !at.IsZero() {
			query.Set(name, at.Format(time.RFC3339Nano))
		}
	}
	return query
}

// Run lists dead letters.
func (c deadLettersListCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		all, query := []client.DeadLetter{}, c.query()
		for {
			page, err := api.DeadLetters(inv.ctx, query)
			if err != nil {
				return err
			}
			all = append(all, page.Items...)
			if page.Next == "" {
				break
			}
			query.Set("cursor", page.Next)
		}
		return c.print(inv.out, all, func(w io.Writer) {
			fmt.Fprintln(w, "HANDLER\tNUMBER\tSTATUS\tTYPE\tSTREAM\tPUT ASIDE\tATTEMPTS\tTRACE\tERROR")
			for _, l := range all {
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", l.Handler, l.Number, l.Status, l.EventType, l.Stream, timeText(l.ParkedAt), l.Attempts, l.TraceID, l.Error)
			}
		})
	})
}

// letterName names one.
type letterName struct {
	Handler string `arg:"" help:"The handler."`
	Number  int64  `arg:"" help:"Its number; waybill deadletters list shows it."`
}

type deadLettersShowCommand struct {
	adminSite
	letterName
}

// Run shows one.
func (c deadLettersShowCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		l, err := api.DeadLetter(inv.ctx, c.Handler, c.Number)
		if err != nil {
			return err
		}
		encoder := json.NewEncoder(inv.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(l)
	})
}

type deadLettersRetryCommand struct {
	adminSite
	report
	letterFilter

	Handler string `arg:"" help:"The handler."`
	Number  *int64 `arg:"" optional:"" help:"Its number; without it those of the filter, or --all."`
	All     bool   `name:"all" help:"All of the handler."`
}

// Run has them handled once more.
func (c deadLettersRetryCommand) Run(inv *invocation) error {
	filtered := c.letterFilter != letterFilter{}
	if (c.Number != nil) == (filtered || c.All) {
		return usageError{errors.New("name one by its number, or several by --type, --stream, --after, --before or --all")}
	}
	return c.with(inv, func(api *client.Client) error {
		if c.Number != nil {
			l, err := api.RetryDeadLetter(inv.ctx, c.Handler, *c.Number, "")
			return tellLetter(inv.out, c.report, l, err)
		}
		which := client.RetryDeadLetters{Handler: c.Handler, Type: c.Type, Stream: c.Stream, After: c.After, Before: c.Before}
		var sum client.RetriedDeadLetters
		for sum.More = true; sum.More; {
			r, err := api.RetryDeadLetters(inv.ctx, which)
			if err != nil {
				return err
			}
			sum = client.RetriedDeadLetters{Retried: sum.Retried + r.Retried, More: r.More && r.Retried > 0}
		}
		return c.print(inv.out, sum, func(w io.Writer) { fmt.Fprintf(w, "%d are being retried\n", sum.Retried) })
	})
}

func tellLetter(out io.Writer, r report, l client.DeadLetter, err error) error {
	if err != nil {
		return err
	}
	return r.print(out, l, func(w io.Writer) { fmt.Fprintf(w, "%s %d: %s\n", l.Handler, l.Number, l.Status) })
}

type deadLettersEditCommand struct {
	adminSite
	report
	letterName

	Data   string `name:"data" required:"" help:"The payload of the copy, JSON: a file, or - for the standard input. waybill deadletters show has the event's own."`
	Reason string `name:"reason" required:"" help:"Why, for the record: a word such as line_without_sku."`
}

// Run has an edited copy handled.
func (c deadLettersEditCommand) Run(inv *invocation) error {
	data, err := readCopy(c.Data)
	if err != nil {
		return err
	}
	return c.with(inv, func(api *client.Client) error {
		l, err := api.EditDeadLetter(inv.ctx, c.Handler, c.Number, "", data, c.Reason)
		return tellLetter(inv.out, c.report, l, err)
	})
}

type deadLettersDiscardCommand struct {
	adminSite
	report
	letterName

	Reason string `name:"reason" required:"" help:"Why, for the record: a word such as test_order."`
}

// Run discards one.
func (c deadLettersDiscardCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		l, err := api.DiscardDeadLetter(inv.ctx, c.Handler, c.Number, "", c.Reason)
		return tellLetter(inv.out, c.report, l, err)
	})
}
