package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/tracing/logtest"
)

// forwarded is a request that a receiver got.
type forwarded struct {
	header http.Header
	body   []byte
}

// developed is a receiver under development: it refuses every third request,
// and those after a limit.
type developed struct {
	server   *httptest.Server
	limit    int // of what it accepts; 0 is none
	mu       sync.Mutex
	requests int
	accepted []forwarded
}

func develop(t *testing.T) *developed {
	t.Helper()
	d := &developed{}
	d.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.requests++; err != nil || d.requests%3 == 0 || (d.limit > 0 && len(d.accepted) == d.limit) {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		d.accepted = append(d.accepted, forwarded{r.Header, body})
	}))
	t.Cleanup(d.server.Close)
	return d
}

func (d *developed) got() []forwarded {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.accepted)
}

// listen runs the command until done is content, and returns what it printed.
func listen(t *testing.T, done func() error, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, errOut logtest.Journal
	code := make(chan int, 1)
	go func() { code <- run(ctx, append([]string{"listen"}, args...), &out, &errOut) }()
	eventually(ctx, t, time.Minute, done)
	stop()
	if got := <-code; got != exitDone {
		t.Fatalf("ended with %d: %s%s", got, out.String(), errOut.String())
	}
	return out.String() + errOut.String()
}

func found(t *testing.T, expression, text string) string {
	t.Helper()
	match := regexp.MustCompile(expression).FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("nothing like %s in:\n%s", expression, text)
	}
	return match[1]
}

// TestListenForwardsEveryMessageOnceInOrder stops in the middle and goes on at
// the cursor that was printed.
func TestListenForwardsEveryMessageOnceInOrder(t *testing.T) {
	t.Parallel()
	platform, receiver := startShop(t), develop(t)
	api := platform.api()
	args := []string{"--forward", receiver.server.URL, "--types", "order.placed,product.registered", "--url", platform.addr, "--api-key", bench.AdminKey}
	placed := func(count int) func() error {
		return func() error {
			got := 0
			for _, f := range receiver.got() {
				got += strings.Count(string(f.body), `"type":"order.placed"`)
			}
			if got < count {
				return fmt.Errorf("%d orders came, want %d", got, count)
			}
			return nil
		}
	}
	placeOrders(t, api, "first", 3)
	printed := listen(t, placed(3), append(args, "--from", "beginning")...)
	secret, cursor := found(t, `secret +(whsec_\S+)`, printed), found(t, `go on with --from (\S+)\n`, printed)
	if !strings.Contains(printed, "answered 500; again in 500ms") {
		t.Errorf("printed no refusal:\n%s", printed)
	}
	placeOrders(t, api, "second", 3)
	again := listen(t, placed(6), append(args, "--from", cursor, "--secret", secret)...)
	if strings.Contains(again, "whsec_") {
		t.Errorf("printed a secret that was given:\n%s", again)
	}
	var page client.FeedPage
	eventually(t.Context(), t, time.Minute, func() (err error) {
		page, err = api.Feed(t.Context(), client.FeedQuery{Types: []string{"order.placed", "product.registered"}, Limit: 500})
		return err
	})
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	got := receiver.got()
	if len(got) != len(page.Messages) {
		t.Fatalf("%d messages accepted, %d in the feed", len(got), len(page.Messages))
	}
	for i, want := range page.Messages {
		if string(got[i].body) != string(want.Body) || got[i].header.Get("Webhook-Id") != want.ID {
			t.Errorf("message %d is %s, want %s", i, got[i].body, want.Body)
		}
		if err := verifier.Verify(got[i].body, got[i].header); err != nil {
			t.Errorf("message %d: %v", i, err)
		}
		if strings.Count(printed+again, want.ID+"  ") != 1 {
			t.Errorf("message %s has not one line:\n%s%s", want.ID, printed, again)
		}
	}
}

// TestListenGoesOnAfterWhatWasAccepted stops while a message is refused, with
// others behind it.
func TestListenGoesOnAfterWhatWasAccepted(t *testing.T) {
	t.Parallel()
	platform, receiver := startShop(t), develop(t)
	receiver.limit = 1
	placeOrders(t, platform.api(), "k", 3)
	var page client.FeedPage
	eventually(t.Context(), t, time.Minute, func() (err error) {
		page, err = platform.api().Feed(t.Context(), client.FeedQuery{Types: []string{"order.placed"}})
		if err == nil && len(page.Messages) != 3 {
			return fmt.Errorf("%d orders in the feed", len(page.Messages))
		}
		return err
	})
	printed := listen(t, func() error {
		receiver.mu.Lock()
		defer receiver.mu.Unlock()
		if receiver.requests < 3 {
			return fmt.Errorf("%d requests", receiver.requests)
		}
		return nil
	}, "--forward", receiver.server.URL, "--types", "order.placed", "--from", "beginning", "--url", platform.addr, "--api-key", bench.AdminKey)
	if cursor := found(t, `go on with --from (\S+)\n`, printed); cursor != page.Messages[0].Cursor {
		t.Errorf("goes on at %s, want %s:\n%s", cursor, page.Messages[0].Cursor, printed)
	}
}

// TestListenWaitsForThePlatform kills the platform while messages are awaited.
func TestListenWaitsForThePlatform(t *testing.T) {
	t.Parallel()
	platform, receiver := startShop(t), develop(t)
	placeOrders(t, platform.api(), "first", 1)
	arrived := func(count int) error {
		if got := len(receiver.got()); got < count {
			return fmt.Errorf("%d orders came, want %d", got, count)
		}
		return nil
	}
	restarted := false
	printed := listen(t, func() error {
		if err := arrived(1); err != nil {
			return err
		}
		if !restarted {
			restarted = true
			platform.kill()
			platform.start(t.Context())
			placeOrders(t, platform.api(), "second", 2)
		}
		return arrived(3)
	}, "--forward", receiver.server.URL, "--types", "order.placed", "--from", "beginning", "--url", platform.addr, "--api-key", bench.AdminKey)
	if len(receiver.got()) != 3 || !strings.Contains(printed, "the platform is away") {
		t.Errorf("%d messages, printed:\n%s", len(receiver.got()), printed)
	}
}

// TestListenFromNowMissesNothing breaks off the first request that waits, when
// something has come meanwhile.
func TestListenFromNowMissesNothing(t *testing.T) {
	t.Parallel()
	platform, receiver := startShop(t), develop(t)
	at, err := url.Parse("http://" + platform.addr)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(at)
	var breakOff sync.Once
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("wait") != "" {
			breakOff.Do(func() {
				placeOrders(t, platform.api(), "meanwhile", 1)
				panic(http.ErrAbortHandler)
			})
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(between.Close)
	listen(t, func() error {
		if len(receiver.got()) == 0 {
			return errors.New("the order did not come")
		}
		return nil
	}, "--forward", receiver.server.URL, "--types", "order.placed", "--url", between.URL, "--api-key", bench.AdminKey)
}

func TestListenSaysWhatIsWrongWithItsFlags(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"--forward":                 {},
		"such as http://localhost":  {"--forward", "localhost:3000"},
		"a secret starts with":      {"--forward", "http://localhost:3000", "--secret", "s"},
		"--endpoint brings its own": {"--forward", "http://localhost:3000", "--endpoint", "e", "--types", "order.placed"},
	} {
		if text := ends(t, exitUsage, append([]string{"listen"}, args...)...); !strings.Contains(text, want) {
			t.Errorf("%v printed %s", args, text)
		}
	}
	platform := startShop(t)
	eventually(t.Context(), t, time.Minute, func() error {
		_, err := platform.api().Feed(t.Context(), client.FeedQuery{})
		return err
	})
	text := ends(t, exitFailed, "listen", "--forward", "http://localhost:3000", "--from", "c1.x", "--url", platform.addr, "--api-key", bench.AdminKey)
	if !strings.Contains(text, "400") {
		t.Errorf("printed %s", text)
	}
}
