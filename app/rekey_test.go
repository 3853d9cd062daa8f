package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/credentials"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// rekeyed is an installation whose master keys change.
type rekeyed struct {
	t   *testing.T
	cfg configs.Config
}

// masters are the text of master keys by their numbers.
func masters(numbers ...byte) string {
	var keys []string
	for _, number := range numbers {
		keys = append(keys, fmt.Sprintf("%d:%s", number, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{number}, 32))))
	}
	return strings.Join(keys, ",")
}

func (r *rekeyed) with(numbers ...byte) configs.Config {
	cfg := r.cfg
	cfg.MasterKey = masters(numbers...)
	return cfg
}

// run starts the platform with some master keys, lets something be done, and
// stops it.
func (r *rekeyed) run(do func(a *App), numbers ...byte) {
	r.t.Helper()
	a, err := New(r.with(numbers...), Options{
		Roles: []string{RoleAPI, RoleProjections, RoleHandlers, RoleWebhooks}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() {
		if err := a.Stop(context.WithoutCancel(r.t.Context())); err != nil {
			r.t.Errorf("stop: %v", err)
		}
	}()
	if err := a.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	do(a)
}

// TestAKeyIsNeededNoMoreAfterRekey interrupts the command after each step that
// it tells of, and starts it again. In the end everything opens without the key
// that sealed it.
func TestAKeyIsNeededNoMoreAfterRekey(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		got := make(chan http.Header, 100)
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
		t.Cleanup(receiver.Close)
		r := &rekeyed{t: t}
		parser, err := kong.New(&r.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse([]string{
			"--data-dir", t.TempDir(), "--http-addr", "127.0.0.1:0", "--node-addr", "127.0.0.1:0", "--webhooks-allow-private",
			"--database", e.URL,
		}); err != nil {
			t.Fatal(err)
		}
		create := func(a *App, id string) (webhooks.CreatedEndpoint, error) {
			return a.hooks.endpoints.Create(t.Context(), webhooks.NewEndpoint{
				ID: id, Settings: endpoint.Settings{URL: receiver.URL, EventTypes: []string{"order.placed"}},
				Credentials: &credentials.Credentials{Headers: map[string]string{"X-Key": "of " + id}},
			}, eventstore.Metadata{CommandID: id})
		}
		ids := []string{"e1", "e2", "e3"}
		secrets, public := map[string]string{}, ""
		person := vault.Contact{Email: "a@example.com", Name: "A"}
		r.run(func(a *App) {
			for _, id := range ids {
				created, err := create(a, id)
				if err != nil {
					t.Fatal(err)
				}
				secrets[id] = created.Secret.Text()
				if err := a.vault.Put(t.Context(), a.vault.Subject(id), "ref-"+id, person); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.vault.Erase(t.Context(), a.vault.Subject("e3")); err != nil {
				t.Fatal(err)
			}
			keys, err := a.hooks.keys.Public(t.Context(), "p1")
			if err != nil {
				t.Fatal(err)
			}
			public = keys[0].PublicKey
		}, 1, 2)

		interrupted := 0
		for step := 1; ; step++ {
			ctx, cancel := context.WithCancel(t.Context())
			calls := 0
			done, err := Rekey(ctx, r.with(1, 2, 3), slog.New(slog.DiscardHandler), func(string, int, int) {
				if calls++; calls == step {
					cancel()
				}
			})
			cancel()
			if err == nil {
				if done.Key != 3 || done.Jobs != 0 {
					t.Errorf("done: %+v", done)
				}
				break
			}
			if interrupted++; !errors.Is(err, context.Canceled) && ctx.Err() == nil {
				t.Fatalf("step %d: %v", step, err)
			}
		}
		if interrupted < 3 {
			t.Errorf("interrupted %d times only", interrupted)
		}
		if again, err := Rekey(t.Context(), r.with(1, 2, 3), slog.New(slog.DiscardHandler), func(string, int, int) {}); err != nil ||
			again.Endpoints+again.SigningKeys+again.People != 0 {
			t.Errorf("again: %+v, %v", again, err)
		}

		r.run(func(a *App) {
			for _, id := range ids {
				if repeated, err := create(a, id); err != nil || repeated.Secret.Text() != secrets[id] {
					t.Errorf("the secret of %s: %v", id, err)
				}
				if _, err := a.hooks.endpoints.Test(t.Context(), id, eventstore.Metadata{CommandID: "test " + id}); err != nil {
					t.Error(err)
				}
			}
			for range ids {
				select {
				case header := <-got:
					if !strings.HasPrefix(header.Get("X-Key"), "of e") {
						t.Errorf("sent with %v", header)
					}
				case <-time.After(time.Minute):
					t.Fatal("nothing was sent")
				}
			}
			var contact vault.Contact
			if err := a.vault.Get(t.Context(), "ref-e1", &contact); err != nil || cmp.Diff(person, contact) != "" {
				t.Errorf("a person: %+v, %v", contact, err)
			}
			if err := a.vault.Get(t.Context(), "ref-e3", &contact); !errors.Is(err, vault.ErrErased) {
				t.Errorf("an erased person: %v", err)
			}
			if keys, err := a.hooks.keys.Public(t.Context(), "p1"); err != nil || keys[0].PublicKey != public {
				t.Errorf("the signing key: %+v, %v", keys, err)
			}
		}, 1, 3)
	})
}
