package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/waybill-dev/waybill/client"
)

type webhooksAttemptsCommand struct {
	site
	report

	Endpoint string    `arg:"" help:"Id of the endpoint."`
	Message  string    `name:"message" help:"Only those at this message, by its webhook-id."`
	Order    string    `name:"order" help:"Only those about this order."`
	Result   string    `name:"result" help:"Only those that ended so, in one word: ok, timeout and others."`
	RunID    string    `name:"run" help:"Only those of this run: live, or the id of a replay."`
	From     time.Time `name:"from" help:"Only those made then or later (RFC 3339)."`
	To       time.Time `name:"to" help:"Only those made earlier (RFC 3339)."`
	Limit    int       `name:"limit" default:"50" help:"The most to list."`
}

// Run lists attempts, page after page.
func (c webhooksAttemptsCommand) Run(inv *invocation) error {
	if c.Limit < 1 {
		return usageError{errors.New("--limit needs at least 1")}
	}
	return c.with(inv, func(api *client.Client) error {
		const mostAtOnce = 500
		q := client.AttemptQuery{MessageID: c.Message, Order: c.Order, Result: c.Result, Run: c.RunID, From: c.From, To: c.To}
		all, err := pageByPage(c.Limit, mostAtOnce, func(limit int, cursor string) ([]client.Attempt, string, error) {
			q.Limit, q.Cursor = limit, cursor
			return api.Attempts(inv.ctx, c.Endpoint, q)
		})
		if err != nil {
			return err
		}
		return c.print(inv.out, all, func(w io.Writer) {
			fmt.Fprintln(w, "AT\tTYPE\tABOUT\tRUN\tATTEMPT\tSTATUS\tRESULT\tMS\tMESSAGE")
			for _, a := range all {
				fmt.Fprintf(w, "%s\t%s\t%s %s\t%s\t%d\t%d\t%s\t%.1f\t%s\n", timeText(a.At), a.EventType, a.Aggregate.Type, a.Aggregate.ID, a.Run, a.Attempt,
					a.Status, a.Result, a.DurationMS, a.MessageID)
			}
		})
	})
}

// pageByPage reads a list until it has so many of it, or all, and at most some
// of them at once.
func pageByPage[T any](limit, mostAtOnce int, read func(limit int, cursor string) ([]T, string, error)) ([]T, error) {
	all, cursor := []T{}, ""
	for first := true; len(all) < limit && (first || cursor != ""); first = false {
		page, next, err := read(min(limit-len(all), mostAtOnce), cursor)
		if err != nil {
			return nil, err
		}
		all, cursor = append(all, page...), next
	}
	return all, nil
}

type webhooksUndeliveredCommand struct {
	site
	report

	Endpoint string `arg:"" help:"Id of the endpoint."`
	RunID    string `name:"run" default:"live" help:"Of this run: live, or the id of a replay."`
	Limit    int    `name:"limit" default:"50" help:"The most to list."`
}

// Run lists what was not delivered, page after page.
func (c webhooksUndeliveredCommand) Run(inv *invocation) error {
	if c.Limit < 1 {
		return usageError{errors.New("--limit needs at least 1")}
	}
	return c.with(inv, func(api *client.Client) error {
		const mostAtOnce = 200
		all, err := pageByPage(c.Limit, mostAtOnce, func(limit int, cursor string) ([]client.Undelivered, string, error) {
			return api.Undelivered(inv.ctx, c.Endpoint, client.UndeliveredQuery{Run: c.RunID, Limit: limit, Cursor: cursor})
		})
		if err != nil {
			return err
		}
		return c.print(inv.out, all, func(w io.Writer) {
			fmt.Fprintln(w, "RECORDED\tTYPE\tABOUT\tSTATE\tATTEMPTS\tRESULT\tNEXT TRY\tMESSAGE")
			for _, m := range all {
				fmt.Fprintf(w, "%s\t%s\t%s %s\t%s\t%d\t%s\t%s\t%s\n", timeText(m.RecordedAt), m.EventType, m.Aggregate.Type, m.Aggregate.ID, m.State,
					m.Attempts, orDash(m.Result), orDash(timeText(m.NextTryAt)), m.MessageID)
			}
		})
	})
}

type webhooksResendCommand struct {
	site
	report

	Endpoint string   `arg:"" help:"Id of the endpoint."`
	Messages []string `arg:"" help:"The webhook-ids of the messages."`
}

// Run sends messages again.
func (c webhooksResendCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		sent := []string{}
		for _, id := range c.Messages {
			if _, err := api.Resend(inv.ctx, c.Endpoint, id, ""); err != nil {
				return fmt.Errorf("message %s, after %d others: %w", id, len(sent), err)
			}
			sent = append(sent, id)
		}
		return c.print(inv.out, map[string][]string{"message_ids": sent}, func(w io.Writer) { fmt.Fprintf(w, "sent again: %d\n", len(sent)) })
	})
}
