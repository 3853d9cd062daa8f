package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// masterKeys is the text of master keys by their numbers.
func masterKeys(numbers ...byte) string {
	var keys []string
	for _, number := range numbers {
		keys = append(keys, fmt.Sprintf("%d:%s", number, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{number}, 32))))
	}
	return strings.Join(keys, ",")
}

// TestRekeyIsKilledAndStartedAgain kills `waybill rekey` in the middle, three
// times. Everything opens then without the key that sealed it.
func TestRekeyIsKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	partner := startPartner(t)
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t), env: []string{"WAYBILL_MASTER_KEY=" + masterKeys(1, 2)}}
	platform.start(ctx)
	const endpoints, people = 200, 20
	secrets := map[string]string{}
	for n := range endpoints {
		key := fmt.Sprint("endpoint ", n)
		created, err := platform.api().CreateEndpoint(ctx, sealedEndpoint(partner.server.URL, key))
		if err != nil {
			t.Fatal(err)
		}
		secrets[key] = created.Secret
	}
	customers := map[string]client.CustomerRecord{}
	for n := range people {
		key := fmt.Sprint("customer-", n)
		record, err := platform.api().RegisterCustomer(ctx, key, client.NewCustomer{Customer: client.Customer{Name: "Name " + key, Email: key + "@example.com"}})
		if err != nil {
			t.Fatal(err)
		}
		customers[key] = record
	}
	platform.stop()

	sealed, done := killRekey(ctx, t, platform.dir, endpoints)
	t.Logf("killed when %v of %d endpoints were sealed anew; the last one did the rest: %+v", sealed, endpoints, done)
	if done.Key != 3 || done.Endpoints >= endpoints {
		t.Errorf("the last one: %+v, want what the ones before left", done)
	}

	platform.env = []string{"WAYBILL_MASTER_KEY=" + masterKeys(1, 3)}
	platform.start(ctx)
	t.Cleanup(platform.stop)
	for key, secret := range secrets {
		again, err := platform.api().CreateEndpoint(ctx, sealedEndpoint(partner.server.URL, key))
		if err != nil || again.Secret != secret {
			t.Errorf("%s: %v, the same secret: %t", key, err, again.Secret == secret)
		}
	}
	for key, record := range customers {
		got, err := platform.api().Customer(ctx, record.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(record.Contact, got.Contact); diff != "" || got.Contact == nil {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}

func sealedEndpoint(url, key string) client.CreateEndpoint {
	return client.CreateEndpoint{
		URL: url, EventTypes: []string{"order.placed"}, IdempotencyKey: key,
		Credentials: map[string]any{"headers": map[string]string{"X-Key": key}},
	}
}

// killRekey starts the command with a newer key and kills it once some
// endpoints more are sealed anew, several times; the last one ends by itself.
func killRekey(ctx context.Context, t *testing.T, dir string, endpoints int) (sealed []int, done app.Rekeyed) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	node := freeAddr(t)
	feed := openLog(t, node).Feed(eventstore.FeedConfig{Prefixes: []string{endpoint.Decider.Category + "-"}})
	defer feed.Close()
	seen := 0
	for _, until := range []int{1, endpoints / 4, endpoints / 2, endpoints + 1} {
		process, err := bench.StartProcess(binary, []string{"WAYBILL_MASTER_KEY=" + masterKeys(1, 2, 3)},
			"rekey", "--data-dir", dir, "--node-addr", node, "--log-level", "error", "--json")
		if err != nil {
			t.Fatal(err)
		}
		running, ended := context.WithCancel(ctx)
		go func() { <-process.Done(); ended() }()
		for seen < until && running.Err() == nil {
			page, err := feed.Next(running)
			if err != nil && running.Err() == nil {
				t.Fatal(err)
			}
			for _, r := range page.Events {
				if r.Type == (endpoint.SecretsResealed{}).EventName() {
					seen++
				}
			}
		}
		ended()
		if until > endpoints {
			<-process.Done()
			if err := json.Unmarshal([]byte(process.Output()), &done); err != nil {
				t.Fatalf("%v: %s", err, process.Output())
			}
			return sealed, done
		}
		if err := process.Kill(); err != nil {
			t.Fatal(err)
		}
		sealed = append(sealed, seen)
	}
	return sealed, done
}
