package endpoint_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

var (
	noon     = time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)
	settings = endpoint.Settings{URL: "https://partner.example/", EventTypes: []string{"order.placed"}}
	created  = endpoint.Created{EndpointID: "e1", Settings: settings, SealedSecret: []byte("sealed"), SecretVersion: 1, CreatedAt: noon}
	paused   = endpoint.Paused{EndpointID: "e1", PausedAt: noon}
	resumed  = endpoint.Resumed{EndpointID: "e1", ResumedAt: noon}
	sought   = endpoint.Resumed{EndpointID: "e1", From: new(uint64(42)), ResumedAt: noon}
	limits   = endpoint.Limits{KnownTypes: []string{"order.cancelled", "order.placed"}, CheckFilter: checkFilter}
	deleted  = endpoint.Deleted{EndpointID: "e1", DeletedAt: noon}
	disabled = endpoint.Disabled{EndpointID: "e1", Reason: endpoint.ReasonGone, DisabledAt: noon}
	enabled  = endpoint.Enabled{EndpointID: "e1", EnabledAt: noon}
	tested   = endpoint.Tested{EndpointID: "e1", TestID: "t1", TestedAt: noon}
)

func checkFilter(expression string) error {
	if strings.Contains(expression, "(") {
		return errors.New("a bracket is open")
	}
	return nil
}

func create(change func(*endpoint.Create)) endpoint.Create {
	c := endpoint.Create{EndpointID: "e1", Settings: settings, SealedSecret: []byte("sealed"), SecretVersion: 1, At: noon, Limits: limits}
	if change != nil {
		change(&c)
	}
	return c
}

func change(change func(*endpoint.Settings)) endpoint.Change {
	c := endpoint.Change{Settings: settings, At: noon, Limits: limits}
	change(&c.Settings)
	return c
}

func changed(change func(*endpoint.Settings)) endpoint.Changed {
	e := endpoint.Changed{EndpointID: "e1", Settings: settings, ChangedAt: noon}
	change(&e.Settings)
	return e
}

// rotated are events of secrets 2 to last, each made so many hours after the
// one before, while the one before signs for a day.
func rotated(last int, hours int) []endpoint.Event {
	events := []endpoint.Event{created}
	for version := 2; version <= last; version++ {
		at := noon.Add(time.Duration((version-1)*hours) * time.Hour)
		events = append(events, endpoint.SecretRotated{
			EndpointID: "e1", Secret: secret(version), OldUntil: at.Add(24 * time.Hour), RotatedAt: at,
		})
	}
	return events
}

func secret(version int) endpoint.Secret {
	return endpoint.Secret{Version: version, Sealed: []byte{byte(version)}}
}

func mistake(pointer, code, detail string) domain.Mistake {
	return domain.Mistake{Pointer: pointer, Code: code, Detail: detail}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, endpoint.Decider, []decidertest.Case[endpoint.Command, endpoint.Event]{
		{Name: "an endpoint is created", When: create(nil), Then: []endpoint.Event{created}},
		{
			Name: "an endpoint may want everything",
			When: create(func(c *endpoint.Create) { c.EventTypes = []string{"*"} }),
			Then: []endpoint.Event{func() endpoint.Created { c := created; c.EventTypes = []string{"*"}; return c }()},
		},
		{
			Name: "an endpoint may be a partner's, with every setting",
			When: create(func(c *endpoint.Create) { c.TenantID, c.Channels, c.Settings = "p1", []string{"web"}, everything() }),
			Then: []endpoint.Event{func() endpoint.Created {
				c := created
				c.TenantID, c.Channels, c.Settings = "p1", []string{"web"}, everything()
				return c
			}()},
		},
		{
			Name: "everything that is wrong is told at once",
			When: create(func(c *endpoint.Create) {
				c.URL, c.Description = "http://127.0.0.1/", strings.Repeat("ü", 501)
				c.EventTypes = []string{"order.placed", "order.eaten", "order.placed"}
			}),
			Refused: endpoint.ErrInvalid.Because(
				mistake("/url", address.CodeScheme, "the scheme must be https"),
				mistake("/url", address.CodeAddress, "the address is not a public one"),
				mistake("/description", endpoint.CodeTooLong, "at most 500 characters"),
				mistake("/event_types/1", endpoint.CodeUnknownType, `there is no event type "order.eaten"`),
				mistake("/event_types/2", endpoint.CodeRepeated, `"order.placed" is named twice`),
			),
		},
		{
			Name:    "an endpoint that wants nothing is refused",
			When:    create(func(c *endpoint.Create) { c.EventTypes = nil }),
			Refused: endpoint.ErrInvalid.Because(mistake("/event_types", endpoint.CodeNoTypes, `name at least one event type, or "*" for all`)),
		},
		{Name: "another endpoint under the same id is refused", Given: []endpoint.Event{created}, When: create(func(c *endpoint.Create) { c.URL += "x" }), Refused: domain.ErrKeyReused},
		{Name: "an id is never used again", Given: []endpoint.Event{created, deleted}, When: create(nil), Refused: endpoint.ErrDeleted},
		{
			Name:  "creating again with another secret changes nothing",
			Given: []endpoint.Event{created}, When: create(func(c *endpoint.Create) { c.SealedSecret = []byte("other") }),
		},
		{Name: "another partner's endpoint under the same id is refused", Given: []endpoint.Event{created}, When: create(func(c *endpoint.Create) { c.TenantID = "p1" }), Refused: domain.ErrKeyReused},
		{
			Name: "creating again after a change is the same creation", Given: []endpoint.Event{created, changed(func(s *endpoint.Settings) { s.URL += "x" })}, When: create(nil),
		},
		{Name: "an endpoint is deleted", Given: []endpoint.Event{created}, When: endpoint.Delete{At: noon}, Then: []endpoint.Event{deleted}},
		{Name: "a disabled endpoint is deleted", Given: []endpoint.Event{created, disabled}, When: endpoint.Delete{At: noon}, Then: []endpoint.Event{deleted}},
		{Name: "what does not exist cannot be deleted", When: endpoint.Delete{At: noon}, Refused: endpoint.ErrNotFound},
		{Name: "an endpoint is disabled", Given: []endpoint.Event{created}, When: endpoint.Disable{Reason: endpoint.ReasonGone, At: noon}, Then: []endpoint.Event{disabled}},
		{Name: "a disabled endpoint keeps its first reason", Given: []endpoint.Event{created, disabled}, When: endpoint.Disable{Reason: endpoint.ReasonRequested, At: noon}},
		{Name: "a deleted endpoint cannot be disabled", Given: []endpoint.Event{created, deleted}, When: endpoint.Disable{At: noon}, Refused: endpoint.ErrNotFound},
		{Name: "a disabled endpoint is enabled", Given: []endpoint.Event{created, disabled}, When: endpoint.Enable{At: noon}, Then: []endpoint.Event{enabled}},
		{Name: "an active endpoint stays active", Given: []endpoint.Event{created}, When: endpoint.Enable{At: noon}},
		{Name: "a deleted endpoint cannot be enabled", Given: []endpoint.Event{created, deleted}, When: endpoint.Enable{At: noon}, Refused: endpoint.ErrNotFound},
		{Name: "an endpoint is tested", Given: []endpoint.Event{created}, When: endpoint.Test{TestID: "t1", At: noon}, Then: []endpoint.Event{tested}},
		{Name: "an endpoint is tested again", Given: []endpoint.Event{created, tested}, When: endpoint.Test{TestID: "t2", At: noon}, Then: []endpoint.Event{endpoint.Tested{EndpointID: "e1", TestID: "t2", TestedAt: noon}}},
		{Name: "a disabled endpoint is not tested", Given: []endpoint.Event{created, disabled}, When: endpoint.Test{TestID: "t1", At: noon}, Refused: endpoint.ErrDisabled},
		{Name: "what does not exist is not tested", When: endpoint.Test{TestID: "t1", At: noon}, Refused: endpoint.ErrNotFound},
	})
}

func everything() endpoint.Settings {
	return endpoint.Settings{
		URL: "https://partner.example/x", EventTypes: []string{"order.cancelled"}, Description: "d", Filter: "true", OrderMode: endpoint.OrderNone,
		OnExhausted: endpoint.ExhaustedBlock, MaxInFlight: 64, RatePerSecond: 10_000, Waits: []int{0, 604_800}, NoTrace: true, PersonalData: true,
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	everythingNow := endpoint.Changed{EndpointID: "e1", Settings: everything(), ChangedAt: noon}
	decidertest.Run(t, endpoint.Decider, []decidertest.Case[endpoint.Command, endpoint.Event]{
		{
			Name: "every setting is changed", Given: []endpoint.Event{created},
			When: change(func(s *endpoint.Settings) { *s = everything() }), Then: []endpoint.Event{everythingNow},
		},
		{Name: "settings go back to the usual", Given: []endpoint.Event{created, everythingNow}, When: change(func(*endpoint.Settings) {}), Then: []endpoint.Event{changed(func(*endpoint.Settings) {})}},
		{Name: "the same settings are no change", Given: []endpoint.Event{created}, When: change(func(s *endpoint.Settings) { s.Waits = []int{} })},
		{Name: "a paused endpoint is changed", Given: []endpoint.Event{created, paused}, When: change(func(s *endpoint.Settings) { s.NoTrace = true }), Then: []endpoint.Event{changed(func(s *endpoint.Settings) { s.NoTrace = true })}},
		{Name: "what does not exist is not changed", When: change(func(*endpoint.Settings) {}), Refused: endpoint.ErrNotFound},
		{Name: "a deleted endpoint is not changed", Given: []endpoint.Event{created, deleted}, When: change(func(*endpoint.Settings) {}), Refused: endpoint.ErrNotFound},
		{
			Name: "everything that is wrong with a change is told at once", Given: []endpoint.Event{created},
			When: change(func(s *endpoint.Settings) {
				s.URL, s.EventTypes, s.Filter, s.OrderMode, s.OnExhausted = "ftp://partner.example", nil, "f(", "fifo", "drop"
				s.MaxInFlight, s.RatePerSecond, s.Waits = 65, -1, []int{5, -1, 604_801}
			}),
			Refused: endpoint.ErrInvalid.Because(
				mistake("/url", address.CodeScheme, "the scheme must be https"),
				mistake("/event_types", endpoint.CodeNoTypes, `name at least one event type, or "*" for all`),
				mistake("/filter", endpoint.CodeFilter, "a bracket is open"),
				mistake("/order_mode", endpoint.CodeUnknown, `"fifo" is none of aggregate, none, endpoint`),
				mistake("/on_exhausted", endpoint.CodeUnknown, `"drop" is none of skip, block`),
				mistake("/max_in_flight", endpoint.CodeRange, "from 0 to 64"),
				mistake("/rate_per_second", endpoint.CodeRange, "from 0 to 10000"),
				mistake("/waits/1", endpoint.CodeRange, "from 0 to 604800"),
				mistake("/waits/2", endpoint.CodeRange, "from 0 to 604800"),
			),
		},
		{
			Name: "what is too long or too many is refused", Given: []endpoint.Event{created},
			When: change(func(s *endpoint.Settings) { s.Filter, s.Waits = strings.Repeat("ü", 4_001), make([]int, 51) }),
			Refused: endpoint.ErrInvalid.Because(
				mistake("/filter", endpoint.CodeTooLong, "at most 4000 characters"), mistake("/waits", endpoint.CodeRange, "at most 50 waits"),
			),
		},
		{
			Name: "a filter needs somebody who understands it", Given: []endpoint.Event{created},
			When: endpoint.Change{Settings: func() endpoint.Settings { s := settings; s.Filter = "true"; return s }(), At: noon, Limits: endpoint.Limits{KnownTypes: limits.KnownTypes}},
			Refused: endpoint.ErrInvalid.Because(
				mistake("/filter", endpoint.CodeFilter, "filters are not understood here"),
			),
		},
		{Name: "the partner has other sales channels", Given: []endpoint.Event{created}, When: endpoint.SetChannels{Channels: []string{"web"}, At: noon}, Then: []endpoint.Event{endpoint.ChannelsChanged{EndpointID: "e1", Channels: []string{"web"}, ChangedAt: noon}}},
		{Name: "the same sales channels are no change", Given: []endpoint.Event{created}, When: endpoint.SetChannels{At: noon}},
		{Name: "a deleted endpoint has no sales channels", Given: []endpoint.Event{created, deleted}, When: endpoint.SetChannels{At: noon}, Refused: endpoint.ErrNotFound},
	})
}

func TestPauses(t *testing.T) {
	t.Parallel()
	decidertest.Run(t, endpoint.Decider, []decidertest.Case[endpoint.Command, endpoint.Event]{
		{Name: "an endpoint is paused", Given: []endpoint.Event{created}, When: endpoint.Pause{At: noon}, Then: []endpoint.Event{paused}},
		{Name: "a paused endpoint stays paused", Given: []endpoint.Event{created, paused}, When: endpoint.Pause{At: noon}},
		{Name: "a disabled endpoint is not paused", Given: []endpoint.Event{created, disabled}, When: endpoint.Pause{At: noon}, Refused: endpoint.ErrDisabled},
		{Name: "what does not exist is not paused", When: endpoint.Pause{At: noon}, Refused: endpoint.ErrNotFound},
		{Name: "a paused endpoint goes on where it stopped", Given: []endpoint.Event{created, paused}, When: endpoint.Resume{At: noon}, Then: []endpoint.Event{resumed}},
		{Name: "a paused endpoint goes on elsewhere", Given: []endpoint.Event{created, paused}, When: endpoint.Resume{From: new(uint64(42)), At: noon}, Then: []endpoint.Event{sought}},
		{Name: "an endpoint may go on from the beginning", Given: []endpoint.Event{created, paused}, When: endpoint.Resume{From: new(uint64(0)), At: noon}, Then: []endpoint.Event{endpoint.Resumed{EndpointID: "e1", From: new(uint64(0)), ResumedAt: noon}}},
		{Name: "a disabled endpoint goes on elsewhere", Given: []endpoint.Event{created, disabled}, When: endpoint.Resume{From: new(uint64(42)), At: noon}, Then: []endpoint.Event{sought}},
		{Name: "an active endpoint is resumed already", Given: []endpoint.Event{created}, When: endpoint.Resume{At: noon}},
		{Name: "an endpoint at work does not go elsewhere", Given: []endpoint.Event{created, paused, sought}, When: endpoint.Resume{From: new(uint64(43)), At: noon}, Refused: endpoint.ErrActive},
		{Name: "what does not exist is not resumed", When: endpoint.Resume{At: noon}, Refused: endpoint.ErrNotFound},
		{Name: "a paused endpoint is disabled", Given: []endpoint.Event{created, paused}, When: endpoint.Disable{Reason: endpoint.ReasonGone, At: noon}, Then: []endpoint.Event{disabled}},
		{Name: "a paused endpoint is resumed, not enabled", Given: []endpoint.Event{created, paused}, When: endpoint.Enable{At: noon}, Refused: endpoint.ErrPaused},
		{Name: "a paused endpoint is not tested", Given: []endpoint.Event{created, paused}, When: endpoint.Test{TestID: "t1", At: noon}, Refused: endpoint.ErrPaused},
		{Name: "a paused endpoint is deleted", Given: []endpoint.Event{created, paused}, When: endpoint.Delete{At: noon}, Then: []endpoint.Event{deleted}},
	})
}

func TestSecretsRotate(t *testing.T) {
	t.Parallel()
	rotate := func(version int, hours int, overlap time.Duration) endpoint.Rotate {
		return endpoint.Rotate{Secret: secret(version), Overlap: overlap, At: noon.Add(time.Duration(hours) * time.Hour)}
	}
	decidertest.Run(t, endpoint.Decider, []decidertest.Case[endpoint.Command, endpoint.Event]{
		{Name: "the old secret signs for a day", Given: []endpoint.Event{created}, When: rotate(2, 1, 24*time.Hour), Then: rotated(2, 1)[1:]},
		{Name: "a fifth secret may sign", Given: rotated(4, 1), When: rotate(5, 4, 24*time.Hour), Then: rotated(5, 1)[4:]},
		{Name: "a sixth secret may not", Given: rotated(5, 1), When: rotate(6, 5, 24*time.Hour), Refused: endpoint.ErrTooManySecrets},
		{Name: "a sixth secret may when another one has ended", Given: rotated(5, 7), When: rotate(6, 35, 24*time.Hour), Then: rotated(6, 7)[5:]},
		{
			Name: "with no overlap there is always room", Given: rotated(5, 1), When: rotate(6, 5, 0),
			Then: []endpoint.Event{endpoint.SecretRotated{EndpointID: "e1", Secret: secret(6), OldUntil: noon.Add(5 * time.Hour), RotatedAt: noon.Add(5 * time.Hour)}},
		},
		{Name: "an overlap of more than a week is refused", Given: []endpoint.Event{created}, When: rotate(2, 1, 7*24*time.Hour+1), Refused: endpoint.ErrOverlap},
		{Name: "an overlap cannot be negative", Given: []endpoint.Event{created}, When: rotate(2, 1, -1), Refused: endpoint.ErrOverlap},
		{Name: "what does not exist has no secret", When: rotate(1, 1, 0), Refused: endpoint.ErrNotFound},
	})
}

func TestSecretsThatSign(t *testing.T) {
	t.Parallel()
	versions := func(s endpoint.State, at time.Time) (list []int) {
		for _, secret := range endpoint.LiveSecrets(s.Secrets, at) {
			list = append(list, secret.Version)
		}
		return list
	}
	s := endpoint.Decider.Fold(endpoint.State{}, rotated(3, 1)...)
	for after, want := range map[time.Duration][]int{
		2 * time.Hour: {3, 2, 1}, 25*time.Hour - 1: {3, 2, 1}, 25 * time.Hour: {3, 2}, 26 * time.Hour: {3}, 1e6 * time.Hour: {3},
	} {
		if diff := cmp.Diff(want, versions(s, noon.Add(after))); diff != "" {
			t.Errorf("after %v (-want +got):\n%s", after, diff)
		}
	}
	other := secret(4)
	other.Algorithm = "ed25519"
	s = endpoint.Decider.Fold(s, endpoint.SecretRotated{Secret: other, RotatedAt: noon, OldUntil: noon})
	if diff := cmp.Diff([]int{4, 3, 2, 1}, versions(s, noon)); diff != "" {
		t.Errorf("a secret of another algorithm ends none (-want +got):\n%s", diff)
	}
	leaked := noon.Add(3 * time.Hour)
	s = endpoint.Decider.Fold(s, endpoint.SecretRotated{Secret: secret(5), RotatedAt: leaked, OldUntil: leaked})
	if diff := cmp.Diff([]int{5, 4}, versions(s, leaked)); diff != "" {
		t.Errorf("with no overlap all others end (-want +got):\n%s", diff)
	}
}

func TestStoredEvents(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, endpoint.EventTypes())
}

func TestStateFollowsTheEvents(t *testing.T) {
	t.Parallel()
	s := endpoint.Decider.Fold(endpoint.State{}, created, disabled)
	if s.Status != endpoint.StatusDisabled || s.DisabledReason != endpoint.ReasonGone || !s.Exists() {
		t.Errorf("disabled: %+v", s)
	}
	if s = endpoint.Decider.Fold(s, enabled); s.Status != endpoint.StatusActive || s.DisabledReason != "" {
		t.Errorf("enabled: %+v", s)
	}
	if s = endpoint.Decider.Fold(s, deleted); s.Exists() || s.Secrets != nil || s.Secret().Sealed != nil {
		t.Errorf("deleted: %+v", s)
	}
}

func TestWants(t *testing.T) {
	t.Parallel()
	for public, wanted := range map[string][]bool{"order.placed": {true, true}, "order.cancelled": {false, true}} {
		got := []bool{endpoint.Wants([]string{"order.placed"}, public), endpoint.Wants([]string{"*"}, public)}
		if !slices.Equal(got, wanted) {
			t.Errorf("%s: %v", public, got)
		}
	}
}
