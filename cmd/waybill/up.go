package main

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/demo"
)

type upCommand struct {
	ReceiverAddr string `name:"receiver-addr" default:"127.0.0.1:8091" help:"Where the sample partner receives callbacks; port 0 picks one."`
	Orders       int    `name:"orders" default:"3" help:"How many demo orders are placed; placing them again adds none."`
}

var everyRole = []string{app.RoleAPI, app.RoleProjections, app.RoleHandlers, app.RoleWebhooks}

// Run starts everything and shows what arrives at the partner.
func (c upCommand) Run(inv *invocation) error {
	inv.config.Webhooks.AllowPrivate = true
	return withApp(inv, everyRole, func(ctx context.Context, a *app.App) error {
		announce(inv, a)
		return c.demonstrate(ctx, inv, a)
	})
}

func (c upCommand) demonstrate(ctx context.Context, inv *invocation, a *app.App) error {
	key, made := a.AdminKey()
	if !made { // announce shows one that was made
		fmt.Fprintf(inv.out, "admin key  %s\n", key)
	}
	api := client.New("http://"+a.HTTPAddr(), key)
	partner, err := demo.StartPartner(ctx, demo.PartnerConfig{
		API: api, Addr: c.ReceiverAddr, Dir: inv.config.DataDir, Out: inv.out,
	})
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, partner.Close)
	link, err := api.CreateConsoleLink(ctx, client.NewConsoleLink{ValidSeconds: 24 * 60 * 60})
	if err != nil {
		return err
	}
	fmt.Fprintf(inv.out, "console    %s\n", link.URL)
	fmt.Fprintf(inv.out, "partner    %s   (a sample receiver; its report is shown there)\n\n", partner.URL())
	return demo.Orders(ctx, api, c.Orders, inv.out)
}
