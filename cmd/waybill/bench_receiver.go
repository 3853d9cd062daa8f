package main

import (
	"os"
	"time"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/bench"
)

// benchReceiverCommand is a partner's server that is in the way of nothing else
// on the machine. It ends with its standard input.
type benchReceiverCommand struct {
	Answer time.Duration `name:"answer" default:"5ms" help:"How long it takes to answer."`
}

// Run receives.
func (c benchReceiverCommand) Run(inv *invocation) error {
	if err := app.YieldProcessors(); err != nil {
		inv.logger.Warn("the receiver does not yield the processors to other work", "error", err)
	}
	return bench.ServeReceiver(os.Stdin, inv.out, c.Answer)
}
