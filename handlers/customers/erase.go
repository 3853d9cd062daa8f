package customers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/jobs"
	"github.com/waybill-dev/waybill/vault"
)

// Names of the jobs, and of their one parameter.
const (
	EraseKind  = "customer-erase"
	ExportKind = "customer-export"
	Param      = "customer_id"
)

// Kinds are the jobs that this package does.
func (s *Service) Kinds() []jobs.Kind {
	return []jobs.Kind{{Name: EraseKind, Run: s.erase}, {Name: ExportKind, Cancellable: true, Run: s.export}}
}

// erase lets a customer be forgotten. First nothing new is let in: the vault
// takes nothing more of the person, so no order can begin. What was let in
// before is on record after a while; then a mark is set in the log, and when
// the list has seen the mark it knows every order there will ever be. Only if
// none of them is open the key is destroyed. Drafts come to nothing.
func (s *Service) erase(ctx context.Context, run *jobs.Run) (map[string]any, error) {
	id := run.Job.Params[Param]
	state, revision, err := eventstore.Load(ctx, s.Store, customer.Decider, id)
	if err != nil {
		return nil, err
	}
	if state.Status != customer.Erasing && state.Status != customer.Erased {
		begun, err := s.begin(ctx, s.step(run, fmt.Sprint("begin ", revision)), id)
		if err != nil {
			return nil, err
		}
		state, revision = begun.State, begun.Revision
	}
	if err := s.fault("begun"); err != nil {
		return nil, err
	}
	if state.Status == customer.Erasing {
		if err := s.judge(ctx, run, id, revision); err != nil {
			return nil, err
		}
	}
	if err := s.discard(ctx, run, id); err != nil {
		return nil, err
	}
	if err := s.Vault.Erase(ctx, id); err != nil {
		return nil, err
	}
	if err := s.fault("erased"); err != nil {
		return nil, err
	}
	if _, err := s.handle(ctx, s.step(run, "finish"), id, customer.FinishErasure{At: s.Now().UTC()}); err != nil {
		return nil, err
	}
	return map[string]any{Param: id, "key_id": state.KeyID}, nil
}

// begin closes the vault for the person, waits for those who were in before,
// and sets the mark.
func (s *Service) begin(ctx context.Context, meta eventstore.Metadata, id string) (Result, error) {
	keyID, since, err := s.Vault.Retire(ctx, id, s.Now())
	if err != nil && !errors.Is(err, vault.ErrErased) {
		return Result{}, err
	}
	if err == nil {
		if err := s.fault("retired"); err != nil {
			return Result{}, err
		}
		if err := s.until(ctx, func() (bool, error) { return s.Now().Sub(since) >= s.Settle, nil }); err != nil {
			return Result{}, err
		}
	}
	return s.handle(ctx, meta, id, customer.BeginErasure{CustomerID: id, KeyID: keyID, At: s.Now().UTC()})
}

// judge stops the erasure if something of the customer's is open.
func (s *Service) judge(ctx context.Context, run *jobs.Run, id string, mark eventstore.Revision) error {
	err := s.until(ctx, func() (bool, error) {
		reached, err := s.List.Reached(ctx, id)
		return reached >= mark, err
	})
	if err != nil {
		return err
	}
	orders, checkouts, err := s.Open(ctx, id)
	if err != nil || len(orders)+len(checkouts) == 0 {
		return err
	}
	// The vault is opened last: after a crash in between all this is done again,
	// beginning with closing it.
	stop := customer.StopErasure{OrderIDs: orders, CheckoutIDs: checkouts, At: s.Now().UTC()}
	if _, err := s.handle(ctx, s.step(run, fmt.Sprint("stop ", mark)), id, stop); err != nil {
		return err
	}
	if err := s.fault("stopped"); err != nil {
		return err
	}
	if err := s.Vault.Resume(ctx, id); err != nil {
		return err
	}
	return customer.ErrOpenOrders
}

// discard throws away the drafts of a customer. The list knows all there will
// ever be.
func (s *Service) discard(ctx context.Context, run *jobs.Run, id string) error {
	drafts, err := s.List.Drafts(ctx, id)
	if err != nil {
		return err
	}
	for _, draft := range drafts {
		if err := s.Drafts.Forget(ctx, draft, run.Job.JobID); err != nil {
			return err
		}
	}
	return s.fault("discarded")
}

// step is the metadata of a command whose id follows from the job and its
// attempt.
func (s *Service) step(run *jobs.Run, what string) eventstore.Metadata {
	return eventstore.Metadata{
		CommandID: eventstore.DeriveID("customer-step", run.Job.JobID, what), CausationID: run.Job.JobID,
		Actor: eventstore.Actor{Type: "process", ID: "jobs"},
	}
}

// lookEvery is the time between two looks at what is waited for.
const lookEvery = 50 * time.Millisecond

func (s *Service) until(ctx context.Context, is func() (bool, error)) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if done, err := is(); done || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
