package sandbox

import (
	"context"
	"database/sql"
	"errors"
)

var errNotCaptured = errors.New("a bank takes back what was captured")

// ChargeBack is the shopper's bank taking captured money back, which is told
// by a callback only.
func (s *Server) ChargeBack(ctx context.Context, key, caseRef string, amount int64) error {
	defer s.sender.nudge()
	return s.ledger.db.Tx(ctx, func(tx *sql.Tx) error {
		e, err := s.ledger.scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM authorisations WHERE key = ?`, key))
		if err != nil {
			return err
		}
		if amount <= 0 || amount > e.Captured-e.ChargedBack {
			return errNotCaptured
		}
		e.ChargedBack += amount
		if err := update(ctx, tx, e); err != nil {
			return err
		}
		return s.ledger.tell(ctx, tx, aboutChargeback(e, chargeback{caseRef, amount, e.Currency}))
	})
}
