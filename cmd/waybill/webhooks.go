package main

import (
	"encoding/json"
	"fmt"
	"io"
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
