package app_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/waybill-dev/waybill/client"
)

// browser is a Chromium without a window. What its pages complain of is a
// failure of the test: a policy that forbids their own scripts, for example.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("needs chromium on the PATH: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.WSURLReadTimeout(2*time.Minute))
	allocated, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(allocated)
	t.Cleanup(leave)
	ctx, end := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(end)
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError {
				t.Errorf("the browser complains: %s (%s)", e.Entry.Text, e.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			t.Errorf("a script failed: %v", e.ExceptionDetails)
		}
	})
	return ctx
}

// received is what a receiver was sent at last.
type received struct {
	mu     sync.Mutex
	header http.Header
	body   string
}

func (r *received) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.header, r.body = request.Header, string(body)
	w.WriteHeader(http.StatusNoContent)
}

// Whatever an endpoint is called, its pages are no wider than a telephone is.
func TestTheConsoleFitsANarrowWindow(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	p := startSagas(t)
	endpoint, err := p.api.CreateEndpoint(t.Context(), client.CreateEndpoint{
		URL: "http://127.0.0.1:1/" + strings.Repeat("long-", 50), EventTypes: []string{"*"},
		Description: "مستودع " + strings.Repeat("Donaudampfschifffahrtsgesellschaft", 6),
	})
	if err != nil {
		t.Fatal(err)
	}
	p.place(t, "EUR", 1, "NARROW-1")
	link, err := p.api.CreateConsoleLink(t.Context(), client.NewConsoleLink{})
	if err != nil {
		t.Fatal(err)
	}
	const width = 400
	if err := chromedp.Run(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(link.URL), chromedp.WaitVisible(`#endpoints`)); err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"endpoints", "endpoints/" + endpoint.ID, "endpoints/" + endpoint.ID + "/attempts", "endpoints/" + endpoint.ID + "/history", "feed?after=beginning"} {
		var needed int
		if err := chromedp.Run(ctx, chromedp.Navigate(p.url+"/console/"+page), chromedp.Evaluate(`document.documentElement.scrollWidth`, &needed)); err != nil {
			t.Fatal(err)
		}
		if needed > width {
			t.Errorf("%s is %d pixels wide in a window of %d", page, needed, width)
		}
	}
}

func TestTheConsoleInABrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	p := startSagas(t)
	got := &received{}
	receiver := httptest.NewServer(got)
	t.Cleanup(receiver.Close)
	endpoint, err := p.api.CreateEndpoint(t.Context(), client.CreateEndpoint{URL: receiver.URL, EventTypes: []string{"order.placed"}})
	if err != nil {
		t.Fatal(err)
	}
	link, err := p.api.CreateConsoleLink(t.Context(), client.NewConsoleLink{})
	if err != nil {
		t.Fatal(err)
	}
	do := func(what string, actions ...chromedp.Action) {
		t.Helper()
		if err := chromedp.Run(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	var address string
	do("a link signs in", log.Enable(), chromedp.Navigate(link.URL), chromedp.WaitVisible(`#endpoints`), chromedp.Location(&address))
	if !strings.HasSuffix(address, "/console/endpoints") {
		t.Errorf("the address is %s after signing in", address)
	}
	p.place(t, "EUR", 1, "BROWSER-1")
	do("the list follows what happens", chromedp.Poll(`document.querySelector("#endpoints").innerText.includes("100.0 %")`, nil, chromedp.WithPollingInterval(100*time.Millisecond), chromedp.WithPollingTimeout(time.Minute)))

	attempts, _, err := p.api.Attempts(t.Context(), endpoint.ID, client.AttemptQuery{})
	if err != nil || len(attempts) == 0 {
		t.Fatalf("%d attempts, %v", len(attempts), err)
	}
	got.mu.Lock()
	header, body := got.header, got.body
	got.mu.Unlock()
	var shown, right, wrong, nonsense string
	said := func(text *string) chromedp.Action {
		return chromedp.Tasks{chromedp.Click(`[data-verify-now]`), chromedp.WaitVisible(`output.state`), chromedp.Text(`output.state`, text)}
	}
	do("a signature is verified",
		chromedp.Navigate(p.url+"/console/endpoints/"+endpoint.ID+"/deliveries/"+attempts[0].MessageID),
		chromedp.Click(`[data-verify] summary`), chromedp.WaitVisible(`#v-secret`), chromedp.Value(`#v-body`, &shown),
		chromedp.SetValue(`#v-secret`, endpoint.Secret), chromedp.SetValue(`#v-timestamp`, header.Get("Webhook-Timestamp")),
		chromedp.SetValue(`#v-signature`, header.Get("Webhook-Signature")),
		said(&right),
		chromedp.Evaluate(`document.querySelector("output.state").className = ""`, nil), chromedp.SetValue(`#v-body`, body+" "), said(&wrong),
		chromedp.Evaluate(`document.querySelector("output.state").className = ""`, nil), chromedp.SetValue(`#v-secret`, "whsec_%"), said(&nonsense),
	)
	if shown != body {
		t.Errorf("the page shows %s, and %s was sent", shown, body)
	}
	if right != "The signature is right." || !strings.HasPrefix(wrong, "No signature is right") || !strings.HasPrefix(nonsense, "The secret or the signature") {
		t.Errorf("of a right signature: %q; of a changed body: %q; of nonsense: %q", right, wrong, nonsense)
	}
	do("signing out", chromedp.Click(`header.top button`), chromedp.WaitVisible(`#key`))
}
