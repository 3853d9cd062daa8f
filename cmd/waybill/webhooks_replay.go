package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/client"
)

type webhooksReplayCommand struct {
	site
	report

	Endpoint  string   `arg:"" help:"Id of the endpoint."`
	From      string   `name:"from" required:"" help:"Where to begin: beginning, a time (RFC 3339), or the cursor of a message, after which the replay begins."`
	To        string   `name:"to" help:"Where to end: a time, or the cursor of a message, which is the last; now when missing."`
	Types     []string `name:"types" help:"Only these event types, with commas between them."`
	Aggregate string   `name:"aggregate" help:"Only what happened to one: the id of an order, say."`
	Only      string   `name:"only" default:"all" enum:"all,undelivered" help:"all, or undelivered: what was given up, waits, or was passed over."`
	Dedupe    string   `name:"dedupe" default:"same" enum:"same,new" help:"same: the ids of the first time. new: other ids, so that receivers process everything anew."`
	Rate      int      `name:"rate" help:"The most attempts begun in a second."`
	Key       string   `name:"idempotency-key" help:"The same key again begins no second replay."`
	Wait      bool     `name:"wait" help:"Wait until it has ended, and show how far it is; ends with 1 if messages were given up."`
}

// Run begins a replay, and waits for its end if that is asked for.
func (c webhooksReplayCommand) Run(inv *invocation) error {
	if c.Rate < 0 {
		return usageError{errors.New("--rate needs at least 1, or is left out")}
	}
	return c.with(inv, func(api *client.Client) error {
		replay, err := api.CreateReplay(inv.ctx, c.Endpoint, c.Key, client.NewReplay{
			From: c.From, To: c.To, Types: c.Types, Aggregate: c.Aggregate, Only: c.Only, Dedupe: c.Dedupe, Rate: c.Rate,
		})
		if err != nil {
			return err
		}
		if c.Wait {
			if replay, err = c.wait(inv, api, replay); err != nil {
				return err
			}
		}
		if err := c.print(inv.out, replay, func(w io.Writer) { replays(w, []client.Replay{replay}) }); err != nil {
			return err
		}
		switch {
		case replay.State == "cancelled":
			return errors.New("the replay was cancelled")
		case replay.GivenUp > 0:
			return fmt.Errorf("%d messages were given up; `waybill webhooks undelivered %s --run %s` lists them", replay.GivenUp, c.Endpoint, replay.ID)
		}
		return nil
	})
}

func (c webhooksReplayCommand) wait(inv *invocation, api *client.Client, replay client.Replay) (client.Replay, error) {
	const pause = 500 * time.Millisecond
	bar := newProgress(inv.errOut, c.JSON)
	defer bar.finish()
	if !c.JSON {
		fmt.Fprintf(inv.errOut, "replay %s began\n", replay.ID)
	}
	for !replay.Ended() {
		if !sleep(inv.ctx, pause) {
			return replay, fmt.Errorf("stopped waiting; the replay goes on: `waybill webhooks replays %s` shows it, `waybill webhooks cancel %s %s` ends it", c.Endpoint, c.Endpoint, replay.ID)
		}
		now, err := api.Replay(inv.ctx, c.Endpoint, replay.ID)
		switch {
		case err == nil:
			replay = now
			advanceReplay(bar, replay)
		case !passes(err):
			return replay, err
		}
	}
	return replay, nil
}

// advanceReplay shows messages. How many there will be is reckoned from the
// share of the log that is done.
func advanceReplay(bar *progress, r client.Replay) {
	done := r.Delivered + r.GivenUp
	if done == 0 {
		return
	}
	of := done
	if !r.Ended() {
		if r.Progress <= 0 {
			return
		}
		of = max(done+r.Parked, int(float64(done)/r.Progress), done+1)
	}
	bar.advance("messages", done, of)
}

// sleep waits, and reports whether the command goes on.
func sleep(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// passes reports whether an error may be gone a moment later: the platform is
// away or busy.
func passes(err error) bool {
	problem, refused := errors.AsType[*client.Problem](err)
	return !refused || problem.Temporary() || problem.Status >= http.StatusInternalServerError
}

func replays(w io.Writer, list []client.Replay) {
	fmt.Fprintln(w, "ID\tSTATE\tDONE\tDELIVERED\tPARKED\tGIVEN UP\tPER SECOND\tLEFT\tREQUESTED")
	for _, r := range list {
		left := ""
		if r.LeftSeconds > 0 {
			left = (time.Duration(r.LeftSeconds) * time.Second).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%.0f %%\t%d\t%d\t%d\t%.0f\t%s\t%s\n", r.ID, r.State, r.Progress*100, r.Delivered, r.Parked, r.GivenUp, r.PerSecond, orDash(left), timeText(r.RequestedAt))
	}
}

type webhooksReplaysCommand struct {
	site
	report

	Endpoint string `arg:"" help:"Id of the endpoint."`
}

// Run lists replays.
func (c webhooksReplaysCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		list, err := api.Replays(inv.ctx, c.Endpoint)
		if err != nil {
			return err
		}
		if list == nil {
			list = []client.Replay{}
		}
		return c.print(inv.out, list, func(w io.Writer) { replays(w, list) })
	})
}

type webhooksCancelCommand struct {
	site

	Endpoint string `arg:"" help:"Id of the endpoint."`
	Replay   string `arg:"" help:"Id of the replay."`
}

// Run cancels a replay.
func (c webhooksCancelCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error { return api.CancelReplay(inv.ctx, c.Endpoint, c.Replay) })
}
