package main

import (
	"encoding/json"
	"fmt"

	"github.com/waybill-dev/waybill/configs"
)

type configCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
	YAML bool `name:"yaml" help:"Print a waybill.yaml with every setting and its default."`
}

// Run prints every setting with the value in force.
func (c configCommand) Run(inv *invocation) error {
	settings, err := configs.Settings(inv.config)
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		encoder := json.NewEncoder(inv.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(settings)
	case c.YAML:
		_, err := fmt.Fprint(inv.out, configs.Document(settings))
		return err
	}
	for _, s := range settings {
		if _, err := fmt.Fprintf(inv.out, "%s=%s\n    %s\n", s.Env, s.Value, s.Help); err != nil {
			return err
		}
	}
	return nil
}
