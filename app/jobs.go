package app

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/handlers/customers"
	"github.com/waybill-dev/waybill/handlers/jobs"
	"github.com/waybill-dev/waybill/projections"
	"github.com/waybill-dev/waybill/webhooks/callback"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/guard"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// jobKinds are all sorts of long jobs.
func (a *App) jobKinds() []jobs.Kind {
	return slices.Concat(a.commands.customers.Kinds(), a.commands.exports.Kinds())
}

// newCustomers makes what looks after personal data. A checkout that was let in
// is on record when its budget is over, and a return may come of a cancelled
// order for as long as of others.
func (a *App) newCustomers() *customers.Service {
	return &customers.Service{
		Store: a.store, Vault: a.vault, List: a.models.customers, Drafts: a.commands.drafts, Now: a.now, Settle: a.commands.checkout.Config.Budget,
		Returns: a.cfg.Tasks.CompleteAfter,
	}
}

// startJobs makes what starts long jobs and, with the role, what runs them.
func (a *App) startJobs(context.Context) error {
	c := a.commands
	policy, err := a.webhookPolicy()
	if err != nil {
		return err
	}
	c.customers = a.newCustomers()
	c.jobs = jobs.New(a.store, a.now, a.jobKinds()...)
	c.callbacks = &callback.Sender{
		Client: guard.NewClient(guard.Config{Policy: policy}), Policy: policy, Sealer: a.keys, Derive: a.keys.Derive,
		Timeout: a.cfg.Webhooks.Timeout, Now: a.now,
	}
	if !a.runs(tasksPart) {
		return nil
	}
	waits := a.cfg.Webhooks.Schedule
	if len(waits) == 0 {
		waits = delivery.DefaultWaits()
	}
	runner := &jobs.Runner{
		Service: c.jobs, Todo: dueJobs{a.models.jobs}, Callbacks: jobCallbacks{c.callbacks}, Document: api.JobDocument,
		Logger: a.logger, Random: rand.Float64, CallbackWaits: waits,
	}
	a.runAlone("jobs", runner.Run)
	return nil
}

// jobsRound is how many jobs one look at the list takes up.
const jobsRound = 100

// dueJobs lets the runner read the read model of jobs.
type dueJobs struct{ queries projections.JobQueries }

// Due implements [jobs.Todo].
func (d dueJobs) Due(ctx context.Context, now time.Time) ([]string, error) {
	return d.queries.Due(ctx, now, jobsRound)
}

// jobCallbacks tells the end of jobs with the secret the caller named, or with
// the one of the caller.
type jobCallbacks struct{ sender *callback.Sender }

// Post implements [jobs.Callbacks].
func (c jobCallbacks) Post(ctx context.Context, m jobs.Callback) jobs.Answer {
	secret, err := c.secret(m.Job)
	if err != nil {
		return jobs.Answer{Cause: err.Error()}
	}
	verdict, answer := c.sender.Post(ctx, callback.Message{
		ID: m.ID, URL: m.Job.Callback.URL, Secret: secret, Body: m.Body, Attempt: m.Count,
	})
	return jobs.Answer{
		Delivered: verdict == delivery.Delivered, GiveUp: verdict == delivery.Abort || verdict == delivery.Disable,
		HTTPStatus: answer.Status, Cause: string(answer.Class), RetryAfter: answer.RetryAfter,
	}
}

func (c jobCallbacks) secret(state job.State) (signing.Secret, error) {
	if sealed := state.Callback.SealedSecret; len(sealed) > 0 {
		return c.sender.Open(state.JobID, sealed)
	}
	return c.sender.SecretOf(state.Owner)
}
