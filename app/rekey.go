package app

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/signingkey"
)

// Rekeyed is what was sealed anew.
type Rekeyed struct {
	Key         int     `json:"key"`          // the newest master key
	Endpoints   int     `json:"endpoints"`    // whose secrets and credentials
	SigningKeys int     `json:"signing_keys"` // of v1a
	People      int     `json:"people"`       // in the vault
	Jobs        int     `json:"jobs"`         // that are not over and need an older key until they are
	Seconds     float64 `json:"seconds"`
}

// Rekey seals everything that is kept encrypted with the newest master key, so
// that those between the first and the newest are needed no more. It may be
// interrupted and started again. Over a Postgres it works beside processes that
// know all the keys; files belong to one process, so there the others stop
// first.
func Rekey(ctx context.Context, cfg configs.Config, logger *slog.Logger, progress func(stage string, done, of int)) (done Rekeyed, err error) {
	a, err := New(cfg, Options{Roles: []string{RoleAPI, RoleProjections, RoleHandlers, RoleWebhooks}, Logger: logger})
	if err != nil {
		return done, err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
		defer cancel()
		err = errors.Join(err, a.Stop(stopping))
	}()
	if err := a.lockRoles(); err != nil {
		return done, err
	}
	for _, start := range []func(context.Context) error{a.startDatabase, a.startNode, a.startClient, a.startIdentity, a.startVault} {
		if err := start(ctx); err != nil {
			return done, err
		}
	}
	began := a.now()
	done, err = a.rekey(ctx, progress)
	done.Seconds = a.now().Sub(began).Seconds()
	return done, err
}

func (a *App) rekey(ctx context.Context, progress func(stage string, done, of int)) (done Rekeyed, err error) {
	sealer := vault.Envelope{Keyring: a.keys}
	done.Key = a.keys.Newest()
	if done.Endpoints, err = a.rekeyEndpoints(ctx, sealer, progress); err != nil {
		return done, err
	}
	keys := signingkey.Keys{Store: a.store, Sealer: sealer, Random: randomReader{}, Now: a.now}
	if done.SigningKeys, err = keys.Reseal(ctx, sealer.Old, rekeyMeta("signing keys")); err != nil {
		return done, err
	}
	if done.People, err = a.vault.Reseal(ctx, func(n, of int) { progress("people", n, of) }); err != nil {
		return done, err
	}
	if a.shared() {
		if err := a.postgres.remark(ctx, a.keys); err != nil {
			return done, err
		}
	}
	done.Jobs, err = a.jobsOfOldKeys(ctx)
	return done, err
}

func rekeyMeta(of string) eventstore.Metadata {
	return eventstore.Metadata{
		CommandID: eventstore.DeriveID("rekey", of, newID()), CorrelationID: of, Actor: eventstore.Actor{Type: "process", ID: "rekey"},
	}
}

func (a *App) rekeyEndpoints(ctx context.Context, sealer vault.Envelope, progress func(stage string, done, of int)) (changed int, err error) {
	ids, err := a.idsOf(ctx, endpoint.Decider.Category)
	if err != nil {
		return 0, err
	}
	endpoints := webhooks.Endpoints{Store: a.store, Sealer: sealer, Now: a.now}
	for i, id := range ids {
		meta := rekeyMeta(id)
		resealed, err := endpoints.Reseal(ctx, id, sealer, meta)
		if err != nil {
			return changed, err
		}
		if resealed {
			changed++
		}
		progress("endpoints", i+1, len(ids))
	}
	return changed, nil
}

// idsOf reads the log for the streams of a category.
func (a *App) idsOf(ctx context.Context, category string) ([]string, error) {
	feed := a.client.Feed(eventstore.FeedConfig{Prefixes: []string{category + "-"}})
	defer feed.Close()
	ids := map[string]bool{}
	for {
		page, err := feed.Next(ctx)
		if err != nil {
			return nil, fmt.Errorf("look for streams of %s: %w", category, err)
		}
		for _, r := range page.Events {
			ids[r.Stream[len(category)+1:]] = true
		}
		if page.Live {
			return slices.Sorted(maps.Keys(ids)), nil
		}
	}
}

// jobsOfOldKeys counts jobs that are not over and have a secret of their
// caller's that an older key sealed.
func (a *App) jobsOfOldKeys(ctx context.Context) (count int, err error) {
	ids, err := a.idsOf(ctx, job.Decider.Category)
	for _, id := range ids {
		state, _, err := eventstore.Load(ctx, a.store, job.Decider, id)
		if err != nil {
			return count, fmt.Errorf("read job %s: %w", id, err)
		}
		open := state.FinishedAt.IsZero() || state.CallbackStatus == job.CallbackPending
		if open && state.Callback != nil && a.keys.Old(state.Callback.SealedSecret) {
			count++
		}
	}
	return count, err
}

// remark seals the installation's mark of its master key anew.
func (p *postgres) remark(ctx context.Context, keys *vault.Keyring) error {
	kept, err := p.fact(ctx, factKey, "")
	if err != nil {
		return err
	}
	sealed, err := base64.StdEncoding.DecodeString(kept)
	if err != nil || !keys.Old(sealed) {
		return err
	}
	mark, err := keys.Seal([]byte("waybill"), []byte(purposeOfMark))
	if err != nil {
		return fmt.Errorf("mark the master key: %w", err)
	}
	_, err = p.db.Write.ExecContext(ctx, `UPDATE facts SET value = ? WHERE name = ? AND value = ?`, base64.StdEncoding.EncodeToString(mark), factKey, kept)
	if err != nil {
		return fmt.Errorf("keep the mark of the master key: %w", err)
	}
	return nil
}
