package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/demo"
)

type upCommand struct {
	ReceiverAddr string `name:"receiver-addr" default:"127.0.0.1:8091" help:"Where the sample partner receives callbacks; port 0 picks one."`
	Orders       int    `name:"orders" default:"3" help:"How many demo orders are placed; placing them again adds none."`
}

// adminKeyFile lets other commands on the same machine find the key that `up`
// made.
const adminKeyFile = "admin.key"

var everyRole = []string{app.RoleAPI, app.RoleProjections, app.RoleHandlers, app.RoleWebhooks}

// Run starts everything and shows what arrives at the partner.
func (c upCommand) Run(inv *invocation) error {
	inv.config.Webhooks.AllowPrivate = true
	made, err := c.adminKey(inv)
	if err != nil {
		return err
	}
	return withApp(inv, everyRole, func(ctx context.Context, a *app.App) error {
		announce(inv, a)
		fmt.Fprintf(inv.out, "admin key  %s   (kept in %s)\n", inv.config.AdminKey, made)
		return c.demonstrate(ctx, inv, a)
	})
}

// adminKey takes the key of the settings, or the one of an earlier run, or
// makes one, and leaves it in a file only this user can read.
func (upCommand) adminKey(inv *invocation) (path string, err error) {
	path = filepath.Join(inv.config.DataDir, adminKeyFile)
	if inv.config.AdminKey == "" {
		kept, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("read the admin key: %w", err)
		}
		inv.config.AdminKey = strings.TrimSpace(string(kept))
	}
	if inv.config.AdminKey == "" {
		inv.config.AdminKey = app.NewAdminKey()
	}
	if err := os.MkdirAll(inv.config.DataDir, 0o700); err != nil {
		return "", fmt.Errorf("make the data folder: %w", err)
	}
	if err := os.WriteFile(path, []byte(inv.config.AdminKey+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the admin key: %w", err)
	}
	return path, nil
}

func (c upCommand) demonstrate(ctx context.Context, inv *invocation, a *app.App) error {
	api := client.New("http://"+a.HTTPAddr(), inv.config.AdminKey)
	partner, err := demo.StartPartner(ctx, demo.PartnerConfig{
		API: api, Addr: c.ReceiverAddr, Dir: inv.config.DataDir, Out: inv.out,
	})
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, partner.Close)
	fmt.Fprintf(inv.out, "partner    %s   (a sample receiver; its report is shown there)\n\n", partner.URL())
	return demo.Orders(ctx, api, c.Orders, inv.out)
}
