package endpoint_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

var (
	asked      = askedFor(1)
	verified   = endpoint.VerifiedEndpoint{EndpointID: "e1", Number: 1, VerifiedAt: noon}
	unanswered = endpoint.VerificationUnanswered{EndpointID: "e1", Number: 1, Reason: endpoint.ReasonExpired, EndedAt: noon}
	moved      = endpoint.VerificationUnanswered{EndpointID: "e1", Number: 1, Reason: endpoint.ReasonMoved, EndedAt: noon}
)

func askedFor(number int) endpoint.VerificationAsked {
	return endpoint.VerificationAsked{EndpointID: "e1", Number: number, ExpiresAt: noon.Add(time.Hour), AskedAt: noon}
}

func TestVerification(t *testing.T) {
	t.Parallel()
	given := func(events ...endpoint.Event) []endpoint.Event { return append([]endpoint.Event{created}, events...) }
	move := func(ping time.Duration) endpoint.Change {
		c := change(func(s *endpoint.Settings) { s.URL = "https://elsewhere.example/" })
		c.Ping = ping
		return c
	}
	elsewhere := changed(func(s *endpoint.Settings) { s.URL = "https://elsewhere.example/" })
	ask := endpoint.AskVerification{For: time.Hour, At: noon}
	test := endpoint.Test{TestID: "t1", Verified: true, At: noon}
	decidertest.Run(t, endpoint.Decider, []decidertest.Case[endpoint.Command, endpoint.Event]{
		{Name: "a new endpoint is asked", When: create(func(c *endpoint.Create) { c.Ping = time.Hour }), Then: []endpoint.Event{created, asked}},
		{Name: "whoever answered is verified", Given: given(asked), When: endpoint.EndVerification{Number: 1, At: noon}, Then: []endpoint.Event{verified}},
		{
			Name: "a ping may fail", Given: given(asked),
			When: endpoint.EndVerification{Number: 1, Reason: endpoint.ReasonExpired, At: noon}, Then: []endpoint.Event{unanswered},
		},
		{Name: "what became of an older ping is of no interest", Given: given(asked, unanswered, askedFor(2)), When: endpoint.EndVerification{Number: 1, At: noon}},
		{Name: "a ping ends once", Given: given(asked, unanswered), When: endpoint.EndVerification{Number: 1, At: noon}},
		{Name: "somebody asks again", Given: given(asked, unanswered), When: ask, Then: []endpoint.Event{askedFor(2)}},
		{Name: "one that was never asked may be", Given: given(), When: ask, Then: []endpoint.Event{asked}},
		{Name: "asking while a ping is under way changes nothing", Given: given(asked), When: ask},
		{Name: "asking whoever has answered changes nothing", Given: given(asked, verified), When: ask},
		{Name: "a disabled endpoint is not asked", Given: given(asked, unanswered, disabled), When: ask, Refused: endpoint.ErrDisabled},
		{Name: "a paused endpoint is not asked", Given: given(asked, unanswered, paused), When: ask, Refused: endpoint.ErrPaused},
		{Name: "a deleted endpoint is not asked", Given: given(deleted), When: ask, Refused: endpoint.ErrNotFound},
		{Name: "behind another URL is somebody else", Given: given(asked, verified), When: move(time.Hour), Then: []endpoint.Event{elsewhere, askedFor(2)}},
		{Name: "a ping under way does not follow", Given: given(asked), When: move(time.Hour), Then: []endpoint.Event{elsewhere, moved, askedFor(2)}},
		{Name: "a new URL needs no ping where none is asked for", Given: given(), When: move(0), Then: []endpoint.Event{elsewhere}},
		{
			Name: "other settings need no ping", Given: given(asked, verified),
			When: func() endpoint.Change {
				c := change(func(s *endpoint.Settings) { s.Description = "x" })
				c.Ping = time.Hour
				return c
			}(),
			Then: []endpoint.Event{changed(func(s *endpoint.Settings) { s.Description = "x" })},
		},
		{Name: "an unverified endpoint takes no tests", Given: given(asked), When: test, Refused: endpoint.ErrUnverified},
		{Name: "a verified endpoint takes tests", Given: given(asked, verified), When: test, Then: []endpoint.Event{tested}},
		{Name: "one that was never asked takes tests", Given: given(), When: test, Then: []endpoint.Event{tested}},
	})
}

func TestAMovedEndpointIsNotVerified(t *testing.T) {
	t.Parallel()
	s := endpoint.Decider.Fold(endpoint.State{}, created, asked, verified)
	if s.Verification.Unverified() {
		t.Errorf("verified is %+v", s.Verification)
	}
	s = endpoint.Decider.Fold(s, changed(func(s *endpoint.Settings) { s.URL = "https://elsewhere.example/" }))
	if !s.Verification.Unverified() || s.Verification.Reason != endpoint.ReasonMoved {
		t.Errorf("moved is %+v", s.Verification)
	}
}

// Other seals are put on what is sealed, and nothing else changes: neither
// until when a secret signs, nor what was chosen.
func TestSealsAreReplaced(t *testing.T) {
	t.Parallel()
	with := created
	with.SealedHeaders, with.SealedAuth = []byte("headers"), []byte("auth")
	rotated := endpoint.SecretRotated{EndpointID: "e1", Secret: secret(2), OldUntil: noon.Add(time.Hour), RotatedAt: noon}
	later := endpoint.SecretRotated{EndpointID: "e1", Secret: secret(3), OldUntil: noon.Add(3 * time.Hour), RotatedAt: noon.Add(2 * time.Hour)}
	before := endpoint.Decider.Fold(endpoint.State{}, with, rotated, later)
	var versions []int
	sealed := before.Sealed()
	for i := range sealed.Secrets {
		versions = append(versions, sealed.Secrets[i].Version)
		sealed.Secrets[i].Sealed = append([]byte("anew "), sealed.Secrets[i].Sealed...)
	}
	if diff := cmp.Diff([]int{1, 2, 3}, versions); diff != "" {
		t.Errorf("versions (-want +got), the first among them though its time is over:\n%s", diff)
	}
	sealed.Headers, sealed.Auth = []byte("anew headers"), []byte("anew auth")
	decidertest.Run(t, endpoint.Decider, []decidertest.Case[endpoint.Command, endpoint.Event]{
		{
			Name: "seals are replaced", Given: []endpoint.Event{with, rotated, later}, When: endpoint.Reseal{Sealed: sealed, At: noon},
			Then: []endpoint.Event{endpoint.SecretsResealed{EndpointID: "e1", Sealed: sealed, ResealedAt: noon}},
		},
	})
	after := endpoint.Decider.Fold(before, endpoint.SecretsResealed{EndpointID: "e1", Sealed: sealed, ResealedAt: noon})
	want := before
	want.Secrets = []endpoint.Secret{before.Secrets[0], before.Secrets[1]}
	for i := range want.Secrets {
		want.Secrets[i].Sealed = append([]byte("anew "), want.Secrets[i].Sealed...)
	}
	want.Created.SealedSecret, want.SealedHeaders, want.SealedAuth = []byte("anew sealed"), sealed.Headers, sealed.Auth
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if string(before.Secrets[0].Sealed) != string([]byte{2}) {
		t.Error("the state before was changed")
	}
}
