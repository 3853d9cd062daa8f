package webhooks

import (
	"context"
	"slices"

	"github.com/waybill-dev/waybill/webhooks/credentials"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// target is where a courier sends to, and what it proves itself with.
type target struct {
	ledger.Endpoint
	run      ledger.Run
	audience *audience
	replay   *replay // nil for the live run
	budget   *delivery.Budget
	secrets  []signing.LiveSecret // none where the endpoint wants keys only
	keys     bool                 // sign with the tenant's keys
	session  *credentials.Session
}

// target opens what is sealed.
func (d *Dispatcher) target(row ledger.Endpoint, run ledger.Run) (*target, error) {
	t := &target{Endpoint: row, run: run, keys: slices.Contains(row.Signatures, signing.SchemeKey)}
	var err error
	if !t.keys || slices.Contains(row.Signatures, signing.SchemeSecret) {
		if t.secrets, err = openAll(d.Sealer, row.TenantID, row.ID, row.Secrets); err != nil {
			return nil, err
		}
	}
	proof, err := openCredentials(d.Sealer, row.Settings, row.TenantID, row.ID)
	if err != nil {
		return nil, err
	}
	t.session, err = proof.Open(d.Client, d.Clients, d.Now)
	return t, err
}

// signer returns what signs now.
func (d *Dispatcher) signer(ctx context.Context, to *target) (signing.Signer, error) {
	by := signing.Signer{Secrets: to.secrets}
	var err error
	if to.keys {
		by.Keys, err = d.Keys.Live(ctx, to.TenantID)
	}
	return by, err
}
