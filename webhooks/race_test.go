package webhooks_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/eventstore/eventstoretest"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// atOnce lets two processes work on the same at the same moment.
func atOnce[T any](p *platform, work func(process int, of *webhooks.Endpoints) (T, error)) (results [2]T, errs [2]error) {
	var done sync.WaitGroup
	for i, store := range eventstoretest.AtOnce(p.log) {
		of := p.endpoints(nil)
		of.Store = store
		done.Go(func() { results[i], errs[i] = work(i, of) })
	}
	done.Wait()
	return results, errs
}

// asked is a request under a key of the caller's.
func asked(body string) eventstore.Metadata {
	request := meta()
	request.CommandID, request.Fingerprint = "command", body
	return request
}

// TestTwoProcessesAnswerARequestWithTheSameSecret: each made one, and one of
// them is stored.
func TestTwoProcessesAnswerARequestWithTheSameSecret(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	rotate := func(id string) func(int, *webhooks.Endpoints) (webhooks.Rotated, error) {
		return func(_ int, of *webhooks.Endpoints) (webhooks.Rotated, error) {
			return of.Rotate(t.Context(), webhooks.Request{ID: id, Meta: asked("body")}, time.Hour)
		}
	}
	for range 5 {
		id := fmt.Sprint("e-", eventstore.DeriveID("test", meta().CommandID))
		created, errs := atOnce(p, func(_ int, of *webhooks.Endpoints) (webhooks.CreatedEndpoint, error) {
			return of.Create(t.Context(), webhooks.NewEndpoint{ID: id, Settings: endpoint.Settings{
				URL: "https://partner.example/hook", EventTypes: []string{"*"},
			}}, asked("body"))
		})
		if errors.Join(errs[:]...) != nil || created[0].Secret.Text() != created[1].Secret.Text() || cmp.Diff(created[0].Endpoint, created[1].Endpoint) != "" {
			t.Errorf("created: %v, the same secret %t", errs, created[0].Secret.Text() == created[1].Secret.Text())
		}
	}
	for range 5 {
		id := p.endpoint("https://partner.example/hook", "*").ID
		rotated, errs := atOnce(p, rotate(id))
		again, err := rotate(id)(0, p.endpoints(nil))
		if errors.Join(append(errs[:], err)...) != nil {
			t.Fatal(errs, err)
		}
		for i, r := range rotated {
			if r.Secret.Text() != again.Secret.Text() || r.Version != 2 || !r.OldUntil.Equal(again.OldUntil) || r.Revision != again.Revision || r.Position != again.Position {
				t.Errorf("process %d answered with a secret that is not stored, or with another end: %+v, stored %+v", i, r.Changed, again.Changed)
			}
		}
	}
}

// TestTwoProcessesTakeOneBodyUnderAKey: the other one is refused, and not told
// that what it wanted was done.
func TestTwoProcessesTakeOneBodyUnderAKey(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	id := p.endpoint("https://partner.example/hook", "*").ID
	changed, errs := atOnce(p, func(process int, of *webhooks.Endpoints) (webhooks.Changed, error) {
		text := fmt.Sprint("of process ", process)
		return of.Change(t.Context(), webhooks.Request{ID: id, Meta: asked(text)}, func(s endpoint.Settings) (endpoint.Settings, error) {
			s.Description = text
			return s, nil
		}, webhooks.Private{})
	})
	refused := 0
	if errs[0] == nil {
		refused = 1
	}
	now, err := p.endpoints(nil).Get(t.Context(), id)
	if err != nil || errs[1-refused] != nil || !errors.Is(errs[refused], domain.ErrKeyReused) || now.Description != changed[1-refused].Description {
		t.Errorf("%v, %v: it is %q", err, errs, now.Description)
	}
}
