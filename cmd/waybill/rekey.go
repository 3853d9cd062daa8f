package main

import (
	"encoding/json"
	"fmt"

	"github.com/waybill-dev/waybill/app"
)

type rekeyCommand struct {
	JSON bool `name:"json" help:"Print what was sealed anew as JSON."`
}

// Run seals what is kept encrypted with the newest master key.
func (c rekeyCommand) Run(inv *invocation) error {
	bar := newProgress(inv.errOut, c.JSON)
	done, err := app.Rekey(inv.ctx, inv.config, inv.logger, bar.advance)
	bar.finish()
	if err != nil {
		return fmt.Errorf("not everything is sealed with the newest key, start it again: %w", err)
	}
	if c.JSON {
		err = json.NewEncoder(inv.out).Encode(done)
	} else {
		_, err = fmt.Fprintf(inv.out, "sealed anew with key %d: what %d endpoints keep, %d signing keys, the keys of %d people\n",
			done.Key, done.Endpoints, done.SigningKeys, done.People)
	}
	if err == nil && done.Jobs > 0 {
		err = fmt.Errorf("%d jobs that are not over need an older key: keep it, and start rekey again when they are", done.Jobs)
	}
	return err
}
