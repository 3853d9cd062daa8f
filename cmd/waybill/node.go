package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/configs"
)

// nodeCommand is what concerns the embedded event store alone. Without a
// subcommand it runs it.
type nodeCommand struct {
	Run nodeRunCommand `cmd:"" default:"withargs" help:"Run it, which is what \"waybill node\" does by itself."`
	nodeStoreCommands

	User nodeUserCommand `cmd:"" help:"Make and change the accounts that clients need when the node has TLS."`
}

// nodeRunCommand has short names for the settings that matter here.
type nodeRunCommand struct {
	Data      string `name:"data" placeholder:"DIR" help:"Short for --data-dir."`
	Addr      string `name:"addr" placeholder:"HOST:PORT" help:"Short for --node-addr."`
	TLSCert   string `name:"tls-cert" placeholder:"FILE" help:"Short for --node-tls-cert."`
	TLSKey    string `name:"tls-key" placeholder:"FILE" help:"Short for --node-tls-key."`
	Advertise string `name:"advertise" placeholder:"HOST:PORT" help:"Short for --node-advertise."`
}

func (c nodeRunCommand) settings(cfg configs.Config) (configs.Config, error) {
	for setting, short := range map[*string]string{
		&cfg.DataDir: c.Data, &cfg.NodeAddr: c.Addr,
		&cfg.Node.TLSCert: c.TLSCert, &cfg.Node.TLSKey: c.TLSKey, &cfg.Node.Advertise: c.Advertise,
	} {
		if short != "" {
			*setting = short
		}
	}
	if err := cfg.Validate(); err != nil {
		return cfg, usageError{fmt.Errorf("settings cannot work:\n%w", err)}
	}
	return cfg, nil
}

// Run serves the embedded node until it is told to stop.
func (c nodeRunCommand) Run(inv *invocation) (err error) {
	cfg, err := c.settings(inv.config)
	if err != nil {
		return err
	}
	relaxCollector()
	n, err := app.StartNode(cfg, inv.logger)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(inv.ctx), cfg.ShutdownTimeout)
		defer cancel()
		if stopErr := n.Stop(ctx); stopErr != nil && err == nil {
			err = stopErr
		}
	}()
	announceNode(inv, cfg, n)
	select {
	case <-inv.ctx.Done():
		return nil
	case err := <-n.Failed():
		return err
	}
}

// announceNode says at once what there is to say: who reads it has all of it.
func announceNode(inv *invocation, cfg configs.Config, n *app.Node) {
	var b strings.Builder
	fmt.Fprintf(&b, "events     %s\ndata       %s\n", n.ConnectionString(), cfg.DataDir)
	if n.Secure() {
		b.WriteString("security   clients need esdb://LOGIN:PASSWORD@…, and &tlsCaFile=FILE unless their machine trusts the certificate's authority\n")
	}
	for _, account := range n.Made() {
		fmt.Fprintf(&b, "account    %s   password %s   (shown this once; `waybill node user passwd %s` sets another)\n", account.Login, account.Password, account.Login)
	}
	fmt.Fprint(inv.out, b.String())
}
