package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

type nodeScavengeCommand struct {
	nodeStore

	JSON bool `name:"json" help:"Print what was removed as JSON."`
}

// Run scavenges, also while another process serves the data.
func (c nodeScavengeCommand) Run(inv *invocation) error {
	bar := newProgress(inv.errOut, c.JSON)
	var done *node.Scavenged
	err := c.run(inv,
		func(cfg node.Config) (err error) {
			n, err := node.Open(cfg)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, n.Close()) }()
			done, err = n.Scavenge(inv.ctx, node.Scavenge{Pause: -1, Progress: nodeProgress(bar)})
			return err
		},
		func(o *grpcapi.Operator) (err error) {
			done, err = o.Scavenge(inv.ctx, nodeProgress(bar))
			return err
		})
	bar.finish()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(inv.out).Encode(done)
	}
	_, err = fmt.Fprintf(inv.out, "removed   %d events of %d streams\nfiles     %s, were %s\n", done.Records, done.Streams, mebibytes(done.After), mebibytes(done.Before))
	return err
}
