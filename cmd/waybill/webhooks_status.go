package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/client"
)

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
