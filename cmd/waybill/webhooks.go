package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waybill-dev/waybill/client"
)

type webhooksCommand struct {
	List        webhooksListCommand        `cmd:"" help:"List the endpoints that the key reaches."`
	Show        webhooksShowCommand        `cmd:"" help:"Show an endpoint and its settings."`
	Status      webhooksStatusCommand      `cmd:"" help:"Show where deliveries stand: of one endpoint, or of all."`
	Attempts    webhooksAttemptsCommand    `cmd:"" help:"List the attempts of deliveries, newest first."`
	Undelivered webhooksUndeliveredCommand `cmd:"" help:"List messages that wait or were given up, in the order of the log."`
	Replay      webhooksReplayCommand      `cmd:"" help:"Send history once more, beside what is live."`
	Replays     webhooksReplaysCommand     `cmd:"" help:"List an endpoint's replays, newest first."`
	Cancel      webhooksCancelCommand      `cmd:"" help:"Cancel a replay; what was sent stays sent."`
	Resend      webhooksResendCommand      `cmd:"" help:"Send messages again, at once."`
	Verify      webhooksVerifyCommand      `cmd:"" help:"Ask an endpoint to show that it wants to be called."`
	Pause       webhooksPauseCommand       `cmd:"" help:"Stop deliveries; nothing is lost meanwhile."`
	Resume      webhooksResumeCommand      `cmd:"" help:"Let deliveries go on."`
}

// site is where the API of a running platform is, and as whom to ask it.
type site struct {
	URL    string `name:"url" env:"WAYBILL_URL" help:"Base URL of the running platform; http-addr when empty."`
	APIKey string `name:"api-key" env:"WAYBILL_API_KEY" help:"An API key with scope webhooks:read, or webhooks:write for what changes something; the platform's admin key when empty. The environment is the better place for it."`
}

// report is how the answer of a command is printed.
type report struct {
	JSON bool `name:"json" help:"Print JSON instead of a table."`
}

func (s site) with(inv *invocation, do func(*client.Client) error) error {
	api, err := dial(inv, s.URL, s.APIKey, "--url")
	if err != nil {
		return err
	}
	defer api.Close()
	return do(api)
}

// print writes value as JSON, or what table writes, cells between tabs.
func (r report) print(w io.Writer, value any, table func(io.Writer)) error {
	if r.JSON {
		return json.NewEncoder(w).Encode(value)
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	table(t)
	return t.Flush()
}

type webhooksListCommand struct {
	site
	report
}

// Run lists the endpoints.
func (c webhooksListCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		list, err := api.Endpoints(inv.ctx)
		if err != nil {
			return err
		}
		if list == nil {
			list = []client.Endpoint{}
		}
		return c.print(inv.out, list, func(w io.Writer) {
			fmt.Fprintln(w, "ID\tSTATUS\tVERIFIED\tPARTNER\tURL\tTYPES")
			for _, e := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", e.ID, e.Status, orDash(verifiedText(e)), orDash(e.TenantID), e.URL, strings.Join(e.EventTypes, ","))
			}
		})
	})
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func timeText(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Local().Format(time.DateTime)
}

type webhooksShowCommand struct {
	site
	report

	Endpoint string `arg:"" help:"Id of the endpoint."`
}

// Run shows an endpoint.
func (c webhooksShowCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		e, err := api.Endpoint(inv.ctx, c.Endpoint)
		if err != nil {
			return err
		}
		return c.print(inv.out, e, func(w io.Writer) {
			lines(w, [][2]string{
				{"id", e.ID},
				{"url", e.URL},
				{"status", strings.TrimSpace(e.Status + " " + e.DisabledReason)},
				{"verified", verifiedText(e)},
				{"partner", e.TenantID},
				{"channels", strings.Join(e.Channels, ",")},
				{"types", strings.Join(e.EventTypes, ",")},
				{"filter", e.Filter},
				{"description", e.Description},
				{"contact", e.ContactEmail},
				{"order", e.OrderMode},
				{"exhausted", e.OnExhausted},
				{"signatures", strings.Join(e.Signatures, ",")},
				{"created", timeText(e.CreatedAt)},
			})
		})
	})
}

// lines writes names and values, those without a value left out.
func lines(w io.Writer, all [][2]string) {
	for _, line := range all {
		if line[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
		}
	}
}

type webhooksStatusCommand struct {
	site
	report

	Endpoint string `arg:"" optional:"" help:"Id of the endpoint; all when missing."`
}

// standing is an endpoint's status, with its id.
type standing struct {
	EndpointID string `json:"endpoint_id"`
	client.EndpointStatus
}

// Run shows where deliveries stand.
func (c webhooksStatusCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		ids, err := c.endpoints(inv, api)
		if err != nil {
			return err
		}
		all := []standing{}
		for _, id := range ids {
			status, err := api.EndpointStatus(inv.ctx, id)
			if err != nil {
				return fmt.Errorf("endpoint %s: %w", id, err)
			}
			all = append(all, standing{EndpointID: id, EndpointStatus: status})
		}
		return c.print(inv.out, all, func(w io.Writer) { standings(w, all) })
	})
}

func (c webhooksStatusCommand) endpoints(inv *invocation, api *client.Client) (ids []string, err error) {
	if c.Endpoint != "" {
		return []string{c.Endpoint}, nil
	}
	list, err := api.Endpoints(inv.ctx)
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return ids, err
}

func standings(w io.Writer, all []standing) {
	fmt.Fprintln(w, "ID\tSTATUS\tBREAKER\tBEHIND\tPARKED\tBLOCKED\tGIVEN UP\tNEXT TRY\tDELIVERED THROUGH")
	for _, s := range all {
		behind := fmt.Sprint(s.LagEvents)
		if s.LagMore {
			behind += "+"
		}
		if s.LagSeconds >= 1 {
			behind += " (" + (time.Duration(s.LagSeconds) * time.Second).String() + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", s.EndpointID, s.Status, orDash(s.Breaker), behind, s.Parked, s.Blocked, s.GivenUp,
			orDash(timeText(s.NextTryAt)), orDash(s.DeliveredThrough))
	}
}

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
		return c.print(inv.out, map[string][]string{"message_ids": sent}, func(w io.Writer) { fmt.Fprintf(w, "%d messages are sent again\n", len(sent)) })
	})
}

type webhooksPauseCommand struct {
	site
	report

	Endpoint string `arg:"" help:"Id of the endpoint."`
}

// Run pauses an endpoint.
func (c webhooksPauseCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		e, err := api.PauseEndpoint(inv.ctx, c.Endpoint, client.EndpointChange{})
		if err != nil {
			return err
		}
		return c.print(inv.out, e, func(w io.Writer) { fmt.Fprintf(w, "%s is %s\n", e.ID, e.Status) })
	})
}

type webhooksResumeCommand struct {
	site
	report

	Endpoint string `arg:"" help:"Id of the endpoint."`
	From     string `name:"from" help:"Where to go on: after a cursor, at a time (RFC 3339), now, or beginning; where deliveries stopped when missing."`
}

// Run resumes an endpoint.
func (c webhooksResumeCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		e, err := api.ResumeEndpoint(inv.ctx, c.Endpoint, c.From, client.EndpointChange{})
		if err != nil {
			return err
		}
		return c.print(inv.out, e, func(w io.Writer) { fmt.Fprintf(w, "%s is %s\n", e.ID, e.Status) })
	})
}
