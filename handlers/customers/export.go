package customers

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/jobs"
	"github.com/waybill-dev/waybill/vault"
)

// Export is everything that is known of a customer.
type Export struct {
	CustomerID   string          `json:"customer_id"`
	ExportedAt   time.Time       `json:"exported_at"`
	PersonalData []vault.Entry   `json:"personal_data"`
	Customer     []exportedEvent `json:"customer"`
	Orders       []exportedOrder `json:"orders"`
}

type exportedOrder struct {
	OrderID string          `json:"order_id"`
	Events  []exportedEvent `json:"events"`
}

type exportedEvent struct {
	Type string          `json:"type"`
	At   time.Time       `json:"at"`
	Data json.RawMessage `json:"data"`
}

// export puts everything together and keeps it in the vault, where it is
// erased with the rest. Earlier exports are left out: they say nothing new.
func (s *Service) export(ctx context.Context, run *jobs.Run) (map[string]any, error) {
	id := run.Job.Params[Param]
	state, _, err := eventstore.Load(ctx, s.Store, customer.Decider, id)
	if err != nil {
		return nil, err
	}
	exportID := eventstore.DeriveID("customer-export", run.Job.JobID)
	document := Export{CustomerID: id, ExportedAt: s.Now().UTC(), PersonalData: []vault.Entry{}}
	entries, err := s.Vault.Of(ctx, id)
	if err != nil {
		return nil, Ruled(err)
	}
	for _, entry := range entries {
		if entry.Ref != exportID && !slices.ContainsFunc(state.Exports, func(e customer.CustomerDataExported) bool { return e.ExportID == entry.Ref }) {
			document.PersonalData = append(document.PersonalData, entry)
		}
	}
	if document.Customer, err = s.events(ctx, customer.Decider.Stream(id)); err != nil {
		return nil, err
	}
	if document.Orders, err = s.orders(ctx, run, id); err != nil {
		return nil, err
	}
	if err := s.Vault.Put(ctx, id, exportID, document); err != nil {
		return nil, Ruled(err)
	}
	if err := s.fault("exported"); err != nil {
		return nil, err
	}
	_, err = s.handle(ctx, s.step(run, "export"), id, customer.NoteExport{CustomerID: id, ExportID: exportID, At: s.Now().UTC()})
	return map[string]any{Param: id, "export_id": exportID}, err
}

func (s *Service) orders(ctx context.Context, run *jobs.Run, id string) ([]exportedOrder, error) {
	ids, err := s.ordersOf(ctx, id, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	orders := make([]exportedOrder, 0, len(ids))
	for i, orderID := range ids {
		events, err := s.events(ctx, order.Decider.Stream(orderID))
		if err != nil {
			return nil, err
		}
		orders = append(orders, exportedOrder{OrderID: orderID, Events: events})
		if err := run.Progress(ctx, i+1, len(ids), ""); err != nil {
			return nil, err
		}
	}
	return orders, nil
}

func (s *Service) events(ctx context.Context, stream string) ([]exportedEvent, error) {
	events := []exportedEvent{}
	for r, err := range s.Store.ReadStream(ctx, stream, 0) {
		if err != nil {
			return nil, err
		}
		events = append(events, exportedEvent{Type: r.Type, At: r.Created, Data: r.Data})
	}
	return events, nil
}

// Exported returns an export that was made: [customer.ErrErased] when it was
// erased with the rest.
func (s *Service) Exported(ctx context.Context, customerID, exportID string) (json.RawMessage, error) {
	state, _, err := eventstore.Load(ctx, s.Store, customer.Decider, customerID)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(state.Exports, func(e customer.CustomerDataExported) bool { return e.ExportID == exportID }) {
		return nil, customer.ErrNotFound.With("export_id", exportID)
	}
	var document json.RawMessage
	err = s.Vault.Get(ctx, exportID, &document)
	return document, Ruled(err)
}
