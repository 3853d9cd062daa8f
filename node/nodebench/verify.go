package nodebench

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/node"
)

func (o *Options) verify(ctx context.Context, dir string, s *Store) error {
	o.Say(fmt.Sprintf("verification of %d events", s.Events))
	began := o.Now()
	report, err := node.VerifyDir(ctx, node.Config{Dir: EventsDir(dir), Now: o.Now}, node.Verification{})
	if err != nil {
		return fmt.Errorf("verify the store: %w", err)
	}
	s.Verify, s.Checked = o.Now().Sub(began), int64(report.Bytes)
	if !report.OK() {
		return fmt.Errorf("the store that was filled is damaged: %s", report.Problems[0])
	}
	return nil
}
