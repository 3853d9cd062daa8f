package app

import (
	"github.com/waybill-dev/waybill/handlers/drafts"
)

// startDrafts makes what keeps drafts and, with the role, what brings them to
// where their checkouts are.
func (a *App) startDrafts() {
	c := a.commands
	c.drafts = &drafts.Service{Store: a.store, Vault: a.vault, Checkouts: c.checkout, Now: a.now}
	if a.runs(tasksPart) {
		recovery := &drafts.Recovery{Service: c.drafts, List: a.models.drafts, Logger: a.logger}
		a.runAlone("recovery of drafts", recovery.Run)
	}
}
