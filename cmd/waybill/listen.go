package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

type listenCommand struct {
	site

	Forward  string   `name:"forward" required:"" help:"Where to send the messages, such as http://localhost:3000."`
	From     string   `name:"from" default:"now" help:"Where to begin: now, beginning, a time (RFC 3339), or a cursor, after which it begins."`
	Types    []string `name:"types" help:"Only these event types, with commas between them."`
	Filter   string   `name:"filter" help:"Only what this expression (CEL) is true for, as the filter of an endpoint."`
	Endpoint string   `name:"endpoint" help:"What this endpoint is sent, instead of --types and --filter."`
	Secret   string   `name:"secret" env:"WAYBILL_LISTEN_SECRET" help:"Signs what is forwarded (whsec_…); empty makes one and prints it."`
}

// Help implements [kong.HelpProvider].
func (listenCommand) Help() string {
	return "Forwards messages to a receiver under development, in order and signed as webhooks are. " +
		"One that the receiver does not answer with 2xx is sent again until it is. Ctrl-C prints where to go on."
}

// Run forwards until it is told to stop.
func (c listenCommand) Run(inv *invocation) error {
	to, err := url.Parse(c.Forward)
	if err != nil || (to.Scheme != "http" && to.Scheme != "https") || to.Host == "" {
		return usageError{fmt.Errorf("--forward %q is not an address such as http://localhost:3000", c.Forward)}
	}
	if c.Endpoint != "" && (c.Filter != "" || len(c.Types) > 0) {
		return usageError{errors.New("--endpoint brings its own types and filter: leave --types and --filter out")}
	}
	secret, err := c.secret()
	if err != nil {
		return usageError{err}
	}
	return c.with(inv, func(api *client.Client) error {
		fmt.Fprintf(inv.out, "forwarding to %s\n", c.Forward)
		if c.Secret == "" {
			fmt.Fprintf(inv.out, "secret     %s   (shown this once; --secret uses it again)\n", secret.Text())
		}
		l := listener{api: api, to: c.Forward, secret: secret, cursor: c.From, out: inv.out, errOut: inv.errOut}
		l.query = client.FeedQuery{Types: c.Types, Filter: c.Filter, Endpoint: c.Endpoint, Limit: 100, Wait: 20 * time.Second}
		l.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		err := l.run(inv.ctx)
		fmt.Fprintf(inv.out, "go on with --from %s\n", l.cursor)
		return err
	})
}

func (c listenCommand) secret() (signing.Secret, error) {
	if c.Secret == "" {
		return signing.NewSecret(rand.Reader)
	}
	secret, err := signing.ParseSecret(c.Secret)
	if err != nil {
		return secret, fmt.Errorf("--secret: %w, of 32 bytes", err)
	}
	return secret, nil
}

// listener forwards messages one after the other.
type listener struct {
	api    *client.Client
	query  client.FeedQuery
	http   http.Client
	to     string
	secret signing.Secret
	cursor string // everything up to it was accepted
	out    io.Writer
	errOut io.Writer
}

// fromNow is a place that is another one each time it is asked for.
const fromNow = "now"

// run ends without an error when it is told to stop.
func (l *listener) run(ctx context.Context) error {
	for failed := 0; ctx.Err() == nil; {
		query := l.query
		if query.After = l.cursor; l.cursor == fromNow {
			query.Wait = 0 // what comes while it is asked again would be before that now
		}
		page, err := l.api.Feed(ctx, query)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !passes(err):
			return err
		case err != nil:
			failed++
			fmt.Fprintf(l.errOut, "the platform is away: %v; again in %s\n", err, pauseAfter(failed))
			sleep(ctx, pauseAfter(failed))
			continue
		}
		failed = 0
		for _, m := range page.Skipped {
			fmt.Fprintf(l.errOut, "skipped %s of %s %s (sequence %d): the platform cannot read it; its cursor is %s\n", m.Type, m.Aggregate.Type, m.Aggregate.ID, m.Sequence, m.Cursor)
		}
		for _, m := range page.Messages {
			if !l.forward(ctx, m) {
				return nil
			}
			l.cursor = m.Cursor
		}
		l.cursor = page.Next
	}
	return nil
}

// pauseAfter grows with the failures before: half a second, doubled up to 30.
func pauseAfter(failed int) time.Duration {
	const first, longest = 500 * time.Millisecond, 30 * time.Second
	return min(first<<min(failed-1, 10), longest)
}

// forward sends a message until it is accepted, and reports whether it was
// before the command was told to stop.
func (l *listener) forward(ctx context.Context, m client.Message) bool {
	for attempt := 1; ctx.Err() == nil; attempt++ {
		began := time.Now()
		status, err := l.send(ctx, m, attempt)
		if err == nil && status/100 == 2 {
			fmt.Fprintf(l.out, "%s  %s  %s %s  %d  %s  %d in %s\n", began.Format(time.TimeOnly), m.Type, m.Aggregate.Type, m.Aggregate.ID, m.Sequence, m.ID,
				status, time.Since(began).Round(time.Millisecond))
			return true
		}
		why := fmt.Sprintf("answered %d", status)
		if err != nil {
			why = err.Error()
		}
		fmt.Fprintf(l.errOut, "%s  %s  %s: attempt %d: %s; again in %s\n", began.Format(time.TimeOnly), m.Type, m.ID, attempt, why, pauseAfter(attempt))
		sleep(ctx, pauseAfter(attempt))
	}
	return false
}

// Of one attempt.
const (
	attemptTimeout = 20 * time.Second
	lastMoments    = 2 * time.Second // that an attempt gets when the command is told to stop
	answerLimit    = 64 << 10
)

// send makes an attempt. One that is under way when the command is told to
// stop may end, so that its message is not sent again afterwards.
func (l *listener) send(ctx context.Context, m client.Message, attempt int) (status int, err error) {
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastMoments, cancel) })()
	request, err := newForward(sending, l.to, l.secret, m, attempt)
	if err != nil {
		return 0, err
	}
	response, err := l.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, answerLimit) // so that the connection is used again
	return response.StatusCode, nil
}

func newForward(ctx context.Context, to string, secret signing.Secret, m client.Message, attempt int) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(m.Body))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "waybill-listen", "Webhook-Attempt": strconv.Itoa(attempt), "Webhook-Run": "listen",
		signing.HeaderID: m.ID, signing.HeaderTimestamp: strconv.FormatInt(now.Unix(), 10), signing.HeaderSignature: secret.Sign(m.ID, now, m.Body),
	} {
		request.Header.Set(name, value)
	}
	return request, nil
}
