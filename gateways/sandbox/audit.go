package sandbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/gateways/payment"
)

// Audit adds the ledger up from its movements and returns everything that must
// never be: a key with two authorisations, more captured than authorised, more
// refunded than captured, sums that are not those of the movements.
func (s *Server) Audit(ctx context.Context) error {
	entries, err := s.Entries(ctx)
	if err != nil {
		return err
	}
	movements, err := s.Movements(ctx)
	if err != nil {
		return err
	}
	return audit(entries, movements)
}

func audit(entries []Entry, movements []Movement) error {
	type sums struct{ captured, refunded int64 }
	moved := map[string]sums{}
	for _, m := range movements {
		if m.Status != string(payment.Done) {
			continue
		}
		sum := moved[m.Key]
		if m.Kind == string(payment.Captures) {
			sum.captured += m.Amount
		} else {
			sum.refunded += m.Amount
		}
		moved[m.Key] = sum
	}
	var wrong []error
	seen := map[string]bool{}
	for _, e := range entries {
		sum := moved[e.Key]
		delete(moved, e.Key)
		if seen[e.Key] {
			wrong = append(wrong, fmt.Errorf("%s is authorised twice", e.Key))
		}
		seen[e.Key] = true
		if sum.captured > e.Amount || sum.captured > 0 && (e.Status == declined || e.Status == actionRequired) {
			wrong = append(wrong, fmt.Errorf("%s: %d captured of %d %s", e.Key, sum.captured, e.Amount, e.Status))
		}
		if sum.refunded > sum.captured {
			wrong = append(wrong, fmt.Errorf("%s: %d refunded of %d captured", e.Key, sum.refunded, sum.captured))
		}
		if sum != (sums{e.Captured, e.Refunded}) {
			wrong = append(wrong, fmt.Errorf("%s: the movements are %+v, the authorisation says %d and %d", e.Key, sum, e.Captured, e.Refunded))
		}
	}
	for key := range moved {
		wrong = append(wrong, fmt.Errorf("money of %s moved without an authorisation", key))
	}
	return errors.Join(wrong...)
}
