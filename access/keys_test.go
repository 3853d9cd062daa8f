package access_test

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/idempotency"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
)

const adminKey = "an-admin-key-of-the-settings"

// clock is a time that stands still until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func connect(t *testing.T, address string) *eventstore.Client {
	t.Helper()
	codec, err := eventstore.NewCodec(slices.Concat(apikey.EventTypes(), idempotency.EventTypes())...)
	if err != nil {
		t.Fatal(err)
	}
	client, err := eventstore.NewClient(eventstore.Config{ConnectionString: address, Codec: codec, Logger: slog.New(slog.DiscardHandler), Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// keysOf are the keys as one process sees them.
func keysOf(store eventstore.Store, c *clock) *access.Keys {
	return &access.Keys{Store: store, Tenant: "default", AdminKey: adminKey, Random: rand.Reader, Now: c.now}
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)} }

func TestKeys(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), newClock()
	keys := keysOf(connect(t, nodetest.Start(t)), c)
	issued, err := keys.Issue(ctx, access.NewKey{Name: "shop", Scopes: []apikey.Scope{apikey.OrdersRead}}, eventstore.Metadata{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys.Authenticate(ctx, issued.Text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(access.Credential{KeyID: issued.ID, Scopes: []apikey.Scope{apikey.OrdersRead}}, got); diff != "" {
		t.Errorf("credential (-want +got):\n%s", diff)
	}
	for name, wrong := range map[string]string{
		"empty":             "",
		"another secret":    issued.Text[:len(issued.Text)-4] + "AAAA",
		"an unknown id":     "wb_aaaaaaaaaaaaaaaa" + issued.Text[19:],
		"cut off":           issued.Text[:len(issued.Text)-1],
		"the admin's, part": adminKey[:16],
	} {
		if _, err := keys.Authenticate(ctx, wrong); !errors.Is(err, access.ErrUnknownKey) {
			t.Errorf("a key that is %s: %v", name, err)
		}
	}
	if err := keys.Revoke(ctx, issued.ID, eventstore.Metadata{}); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Authenticate(ctx, issued.Text); !errors.Is(err, access.ErrUnknownKey) {
		t.Errorf("a revoked key: %v", err)
	}
	if err := keys.Revoke(ctx, "nobody", eventstore.Metadata{}); !errors.Is(err, apikey.ErrNotFound) {
		t.Errorf("revoking an unknown key: %v", err)
	}
	list, err := keys.List(ctx)
	if err != nil || len(list) != 1 || list[0].Valid() {
		t.Errorf("list = %v, %v", list, err)
	}
}

func TestAdminKey(t *testing.T) {
	t.Parallel()
	keys := keysOf(nil, newClock()) // the store is not asked
	got, err := keys.Authenticate(t.Context(), adminKey)
	if err != nil || got.KeyID != access.AdminID || !got.May(apikey.OrdersImport) {
		t.Errorf("Authenticate = %v, %v", got, err)
	}
	keys.AdminKey = ""
	if _, err := keys.Authenticate(t.Context(), ""); !errors.Is(err, access.ErrUnknownKey) {
		t.Errorf("no admin key is set, and an empty key: %v", err)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	reader := access.Credential{Scopes: []apikey.Scope{apikey.WebhooksRead}}
	if !reader.May(apikey.WebhooksWrite, apikey.WebhooksRead) || reader.May(apikey.WebhooksWrite) || reader.May() {
		t.Error("a key may do what one of its scopes allows, and nothing else")
	}
}

func TestSecretsAreNotStored(t *testing.T) {
	t.Parallel()
	ctx, store := t.Context(), connect(t, nodetest.Start(t))
	keys := keysOf(store, newClock())
	issued, err := keys.Issue(ctx, access.NewKey{Name: "shop", Scopes: []apikey.Scope{apikey.Admin}}, eventstore.Metadata{})
	if err != nil {
		t.Fatal(err)
	}
	secret := issued.Text[strings.LastIndex(issued.Text, issued.ID)+len(issued.ID)+1:]
	for recorded, err := range store.ReadStream(ctx, keys.Stream(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(recorded.Data)+string(recorded.RawMetadata), secret) {
			t.Errorf("the secret is in %s", recorded.Type)
		}
	}
}

func TestTwoProcessesShareKeys(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), newClock()
	store := connect(t, nodetest.Start(t))
	one, two := keysOf(store, c), keysOf(store, c)
	if _, err := two.Authenticate(ctx, "wb_aaaaaaaaaaaaaaaa_"+strings.Repeat("s", 43)); !errors.Is(err, access.ErrUnknownKey) {
		t.Fatal(err)
	}
	issued, err := one.Issue(ctx, access.NewKey{Name: "shop", Scopes: []apikey.Scope{apikey.Admin}}, eventstore.Metadata{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Authenticate(ctx, issued.Text); !errors.Is(err, access.ErrUnknownKey) {
		t.Errorf("the stream was read again within the same moment: %v", err)
	}
	c.at = c.at.Add(2 * time.Second)
	if _, err := two.Authenticate(ctx, issued.Text); err != nil {
		t.Errorf("a key that another process issued: %v", err)
	}
	if err := one.Revoke(ctx, issued.ID, eventstore.Metadata{}); err != nil {
		t.Fatal(err)
	}
	for recorded, err := range store.ReadStream(ctx, one.Stream(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a feed may repeat itself
			if err := two.Observe(recorded); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := two.Authenticate(ctx, issued.Text); !errors.Is(err, access.ErrUnknownKey) {
		t.Errorf("a key that another process revoked: %v", err)
	}
}

func TestKnownKeysOutliveTheStore(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), newClock()
	node := nodetest.New(t, nodetest.Config{})
	keys := keysOf(connect(t, node.ConnectionString()), c)
	issued, err := keys.Issue(ctx, access.NewKey{Name: "shop", Scopes: []apikey.Scope{apikey.Admin}}, eventstore.Metadata{})
	if err != nil {
		t.Fatal(err)
	}
	node.Stop()
	c.at = c.at.Add(time.Hour)
	if _, err := keys.Authenticate(ctx, issued.Text); err != nil {
		t.Errorf("a known key while the store is away: %v", err)
	}
	unknown := "wb_aaaaaaaaaaaaaaaa_" + strings.Repeat("s", 43)
	if _, err := keys.Authenticate(ctx, unknown); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("an unknown key while the store is away: %v", err)
	}
}

func TestInvalidKeysAreNotIssued(t *testing.T) {
	t.Parallel()
	keys := keysOf(connect(t, nodetest.Start(t)), newClock())
	if _, err := keys.Issue(t.Context(), access.NewKey{Name: "shop"}, eventstore.Metadata{}); !errors.Is(err, apikey.ErrInvalid) {
		t.Errorf("a key without scopes: %v", err)
	}
}
