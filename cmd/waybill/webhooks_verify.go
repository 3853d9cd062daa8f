package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/client"
)

type webhooksVerifyCommand struct {
	site
	report

	Endpoint string `arg:"" help:"Id of the endpoint."`
	Wait     bool   `name:"wait" help:"Wait for what becomes of it; ends with 1 if it fails."`
}

const verifyEvery = 500 * time.Millisecond

// Run asks an endpoint to verify.
func (c webhooksVerifyCommand) Run(inv *invocation) error {
	return c.with(inv, func(api *client.Client) error {
		e, err := api.VerifyEndpoint(inv.ctx, c.Endpoint, client.EndpointChange{})
		for err == nil && c.Wait && e.Verification != nil && e.Verification.Status == "pending" {
			select {
			case <-time.After(verifyEvery):
				e, err = api.Endpoint(inv.ctx, c.Endpoint)
			case <-inv.ctx.Done():
				err = inv.ctx.Err()
			}
		}
		if err != nil {
			return err
		}
		if err := c.print(inv.out, e, func(w io.Writer) { fmt.Fprintf(w, "%s: %s\n", e.ID, orDash(verifiedText(e))) }); err != nil {
			return err
		}
		if c.Wait && e.Verification != nil && e.Verification.Status == "failed" {
			return errors.New("the endpoint is not verified; waybill webhooks attempts shows what it answered")
		}
		return nil
	})
}

// verifiedText says whether an endpoint is verified, "" where it was never
// asked.
func verifiedText(e client.Endpoint) string {
	if e.Verification == nil {
		return ""
	}
	return strings.TrimSpace(e.Verification.Status + " " + e.Verification.Reason)
}
