package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/handlers/effects/analytics"
	"github.com/waybill-dev/waybill/handlers/effects/email"
	"github.com/waybill-dev/waybill/handlers/effects/fraud"
	"github.com/waybill-dev/waybill/handlers/effects/purge"
	"github.com/waybill-dev/waybill/handlers/effects/searchindex"
	"github.com/waybill-dev/waybill/webhooks/notice"
)

// tasksPart is everything of the role handlers that is no side effect.
const tasksPart = "tasks"

// duty is a part of the role handlers that a process may have alone.
type duty struct {
	name, setting string // what turns it on; empty is always
	on            bool
}

func duties(cfg configs.Config) []duty {
	e := cfg.Effects
	return []duty{
		{analytics.Name, "WAYBILL_EFFECTS_COLLECTOR_URL or WAYBILL_ANALYTICS_DIR", e.CollectorURL != "" || cfg.Analytics.Dir != ""},
		{purge.Name, "WAYBILL_EFFECTS_CACHE_URL", e.CacheURL != ""},
		{email.Name, "WAYBILL_EFFECTS_SMTP", e.SMTP != ""},
		{notice.Name, "WAYBILL_EFFECTS_SMTP", e.SMTP != ""},
		{fraud.Name, "a rule or WAYBILL_EFFECTS_FRAUD_URL", len(e.FraudAmounts) > 0 || e.FraudMismatch || e.FraudOrders > 0 || e.FraudURL != ""},
		{receiptEffect, "WAYBILL_EFFECTS_RECEIPTS", e.Receipts},
		{searchindex.Name, "WAYBILL_EFFECTS_SEARCH_URL", e.SearchURL != ""},
		{tasksPart, "", true},
	}
}

// CheckOnly refuses a choice of handlers that cannot work: a name that nobody
// knows, one that is off, and any in a process that runs no handlers.
func CheckOnly(cfg configs.Config, roles []string) error {
	if len(cfg.Handlers) > 0 && !slices.Contains(roles, RoleHandlers) {
		return fmt.Errorf("only: this process runs no handlers; add them with --roles %s", strings.Join(append(slices.Clone(roles), RoleHandlers), ","))
	}
	all := duties(cfg)
	var errs []error
	for _, name := range cfg.Handlers {
		i := slices.IndexFunc(all, func(d duty) bool { return d.name == name })
		switch {
		case i < 0:
			known := make([]string, len(all))
			for i, d := range all {
				known[i] = d.name
			}
			errs = append(errs, fmt.Errorf("only: no handler is called %q; there are %s", name, strings.Join(known, ", ")))
		case !all[i].on:
			errs = append(errs, fmt.Errorf("only: %s is off; turn it on with %s", name, all[i].setting))
		}
	}
	return errors.Join(errs...)
}

// runs tells whether this process has a part of the role handlers.
func (a *App) runs(part string) bool {
	return a.has(RoleHandlers) && (len(a.cfg.Handlers) == 0 || slices.Contains(a.cfg.Handlers, part))
}

// watches tells whether anything in this process asks how far the read models
// are that others bring forward: a side effect does not.
func (a *App) watches() bool {
	return a.has(RoleAPI) || a.has(RoleWebhooks) || a.runs(tasksPart)
}

// watchReadModels follows what other processes bring forward.
func (a *App) watchReadModels() {
	if !a.watches() {
		return
	}
	a.life.run("read models", func(ctx context.Context) error {
		return a.models.set.Watch(ctx)
	})
}

// locks are what of this process's roles one process at a time may have: the
// handlers one by one.
func (a *App) locks() []string {
	var names []string
	for _, role := range a.options.Roles {
		if role != RoleHandlers {
			names = append(names, role)
			continue
		}
		for _, d := range duties(a.cfg) {
			if a.runs(d.name) {
				names = append(names, role+"-"+d.name)
			}
		}
	}
	return names
}
