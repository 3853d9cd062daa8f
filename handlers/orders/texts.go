package orders

import (
	"context"

	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// Subject is whose data the texts about an order are: the customer's, so that
// they are erased together. A guest's order stands for its guest.
func Subject(s order.State) string {
	if s.CustomerID == "" {
		return customer.Guest(s.OrderID)
	}
	return s.CustomerID
}

// Text is something that people wrote.
type Text struct {
	Text string `json:"text"`
}

// DoWithText is [Service.Do] for a command that refers to a text, an address or
// anything else that belongs into the vault; nil is nothing, and has no
// reference. The vault has it before the event that refers to it is recorded.
func (s *Service) DoWithText(
	ctx context.Context, r Request, data any, command func(s order.State, ref string) (order.Command, error),
) (Result, error) {
	ref := ""
	if data != nil {
		// Another text under the same key is another entry: the first may be
		// there although its event is not.
		ref = eventstore.DeriveID("text", r.OrderID, r.Meta.CommandID, r.Meta.Fingerprint)
	}
	return s.do(ctx, r, change{
		command: func(state order.State, _ eventstore.Revision) (order.Command, error) { return command(state, ref) },
		prepare: func(ctx context.Context, state order.State) error {
			if data == nil {
				return nil
			}
			return s.Texts.Put(ctx, Subject(state), ref, data)
		},
	})
}
