package grpcapi

import (
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/waybill-dev/waybill/node"
)

// checkpointInterval is after how many events looked at a checkpoint is due.
func checkpointInterval(o *streams.ReadReq_Options_FilterOptions) (int, error) {
	const unlimited = 32
	if o.GetCheckpointIntervalMultiplier() == 0 {
		return 0, invalid("the filter's checkpointIntervalMultiplier is zero")
	}
	window := uint64(unlimited)
	if w, ok := o.GetWindow().(*streams.ReadReq_Options_FilterOptions_Max); ok {
		if w.Max == 0 {
			return 0, invalid("the filter's max is zero")
		}
		window = uint64(w.Max)
	}
	return int(min(window*uint64(o.GetCheckpointIntervalMultiplier()), math.MaxInt32)), nil
}

// checkpoints sends events with the checkpoints between them, which tell the
// reader of a filtered log how far he is although nothing came.
type checkpoints struct {
	sender
	filtered   bool
	considered uint64 // position of the last event looked at, or passed over at the beginning
	sent       uint64 // the last checkpoint, or where it began
}

func (c *checkpoints) page(p *node.Page) error {
	sent := 0
	for _, m := range p.Marks {
		if err := c.send(p.Records[sent:m.After], p.Shared); err != nil {
			return err
		}
		sent = m.After
		if err := c.at(m.Position); err != nil {
			return err
		}
	}
	if p.Considered > 0 {
		c.considered = p.Last
	}
	return c.send(p.Records[sent:], p.Shared)
}

func (c *checkpoints) last() error {
	if !c.filtered {
		return nil
	}
	return c.at(c.considered)
}

func (c *checkpoints) at(position uint64) error {
	if position == c.sent {
		return nil
	}
	c.sent = position
	m := &streams.ReadResp_Checkpoint{CommitPosition: position, PreparePosition: position}
	m.ProtoReflect().SetUnknown(c.when(fieldCheckpointWhen))
	return c.out.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: m}})
}
