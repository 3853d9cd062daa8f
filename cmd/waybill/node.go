package main

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/app"
)

type nodeCommand struct{}

// Run serves the embedded node until it is told to stop.
func (nodeCommand) Run(inv *invocation) (err error) {
	n, err := app.StartNode(inv.config, inv.logger)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(inv.ctx), inv.config.ShutdownTimeout)
		defer cancel()
		if stopErr := n.Stop(ctx); stopErr != nil && err == nil {
			err = stopErr
		}
	}()
	fmt.Fprintf(inv.out, "events     %s\ndata       %s\n", n.ConnectionString(), inv.config.DataDir)
	select {
	case <-inv.ctx.Done():
		return nil
	case err := <-n.Failed():
		return err
	}
}
