package webhooks_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

func TestEndpointsFollowTheirPartnersChannels(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	d := p.start()
	create := func(tenant string, channels ...string) string {
		created, err := d.Endpoints.Create(t.Context(), webhooks.NewEndpoint{
			ID: uuid.NewString(), TenantID: tenant, Channels: channels,
			Settings: endpoint.Settings{URL: "https://partner.example/", EventTypes: []string{"*"}},
		}, meta())
		if err != nil {
			t.Fatal(err)
		}
		return created.ID
	}
	first, other, own, gone := create("p1", "web"), create("p2", "web"), create(""), create("p1", "web")
	if err := d.Endpoints.Delete(t.Context(), gone, meta()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "listed", func() bool {
		list, err := d.Endpoints.List(t.Context())
		return err == nil && len(list) == 3
	})
	channels := map[string][]string{"p1": {"web", "shop"}, "p2": {"web"}}
	partners := &webhooks.Partners{
		Endpoints: d.Endpoints, Logger: slog.New(slog.DiscardHandler),
		Channels: func(context.Context) (map[string][]string, error) { return channels, nil },
	}
	for range 2 { // the second time there is nothing to do, whatever the rows say by then
		if err := partners.Follow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string][]string{first: {"web", "shop"}, other: {"web"}, own: nil} {
		if got, err := d.Endpoints.Get(t.Context(), id); err != nil || !slices.Equal(got.Channels, want) {
			t.Errorf("%v: %v, want %v", err, got.Channels, want)
		}
	}
	if history, err := d.Endpoints.History(t.Context(), first, nil, 0, 10); err != nil || len(history) != 1 || history[0].Type != "EndpointChannelsChanged" {
		t.Errorf("history: %v, %+v", err, history)
	}
}
