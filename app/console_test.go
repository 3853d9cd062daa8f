package app_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// visitor is somebody with a browser that runs no scripts.
type visitor struct {
	t    *testing.T
	base string
	http *http.Client
}

func (p sagas) visitor(t *testing.T) visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return visitor{t: t, base: p.url + "/console/", http: &http.Client{
		Jar: jar, Timeout: time.Minute, Transport: p.http.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// entered is somebody who came by a link.
func (p sagas) entered(t *testing.T, link client.NewConsoleLink) visitor {
	t.Helper()
	made, err := p.api.CreateConsoleLink(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	_, key, found := strings.Cut(made.URL, "/console/enter#")
	if !found || time.Until(made.ExpiresAt) < time.Minute {
		t.Fatalf("a link to the console is %+v", made)
	}
	v := p.visitor(t)
	v.leads("session", url.Values{"key": {key}}, "/console/endpoints")
	return v
}

// do sends a request: a form, if there is one.
func (v visitor) do(path string, form url.Values, header ...string) (*http.Response, string) {
	v.t.Helper()
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	request, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := v.http.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer, string(text)
}

// sees is a page with some words on it.
func (v visitor) sees(path string, form url.Values, status int, words ...string) string {
	v.t.Helper()
	answer, text := v.do(path, form)
	if answer.StatusCode != status {
		v.t.Fatalf("%s answers %d, want %d:\n%s", path, answer.StatusCode, status, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			v.t.Errorf("%s does not say %q:\n%s", path, w, text)
		}
	}
	return text
}

// leads is a form that sends on to another page.
func (v visitor) leads(path string, form url.Values, to string) string {
	v.t.Helper()
	answer, text := v.do(path, form)
	where := answer.Header.Get("Location")
	if answer.StatusCode != http.StatusSeeOther || !strings.HasPrefix(where, to) {
		v.t.Fatalf("%s answers %d and sends to %q, want %q:\n%s", path, answer.StatusCode, where, to, text)
	}
	return strings.TrimPrefix(where, "/console/")
}

// eventuallySees waits until a page says something.
func (v visitor) eventuallySees(path, words string) string {
	v.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		answer, text := v.do(path, nil)
		if answer.StatusCode == http.StatusOK && strings.Contains(text, words) {
			return text
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("%s never says %q; at last %d:\n%s", path, words, answer.StatusCode, text)
		}
	}
}

// taking is a receiver that takes everything, once a status is not set.
func taking(t *testing.T) string {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "taken with thanks")
	}))
	t.Cleanup(receiver.Close)
	return receiver.URL + "/hooks"
}

func TestTheConsoleShowsAndDoes(t *testing.T) {
	t.Parallel()
	p := startSagas(t, "--trace-url", "http://traces.example/{trace_id}")
	v := p.entered(t, client.NewConsoleLink{})
	v.sees("endpoints", nil, 200, "There is no endpoint yet")
	made := v.sees("endpoints", url.Values{"url": {taking(t)}, "description": {"Stock <b>desk</b>"}, "key": {"k1"}}, 200, "the only time", "whsec_")
	page := regexp.MustCompile(`endpoints/[0-9a-f-]+`).FindString(made)
	id := strings.TrimPrefix(page, "endpoints/")
	order := p.place(t, "EUR", 1, "CONSOLE-1")

	v.eventuallySees(page+"/attempts?order="+order, "order.placed")
	list := v.sees("endpoints", nil, 200, "Stock &lt;b&gt;desk&lt;/b&gt;", "active", "100.0 %")
	if strings.Contains(list, "whsec_") {
		t.Error("a secret is shown twice")
	}
	attempts := v.sees(page+"/attempts?order="+order, nil, 200, "order "+order, ">ok<", ">200<")
	delivery := regexp.MustCompile(`deliveries/([0-9a-f-]+)`).FindString(attempts)
	shown := v.sees(page+"/"+delivery, nil, 200, "taken with thanks", "order.placed", "http://traces.example/", "curl -X POST", "Verify a signature")
	if !strings.Contains(shown, order) {
		t.Error("a delivery does not show what was sent")
	}
	v.sees(page+"/attempts?result=timeout", nil, 200, "No attempt is like that")
	v.sees(page+"/undelivered", nil, 200, "Everything was delivered")
	v.eventuallySees("timeline?id="+order, "order.placed")
	v.sees("timeline?id="+order+"&type=order", nil, 200, "1 · order.placed", "/hooks")
	v.sees("timeline?id=none", nil, 404)
	v.sees("timeline", nil, 200, "which endpoint got it when")
	v.sees("event-types", nil, 200, "order.placed", "secret.rotated")
	v.sees("event-types/order.placed", nil, 200, "Schema", "Send a test message")
	v.sees("event-types/order.nothing", nil, 404)
	v.sees("feed?types=order.placed", nil, 200, order, "Look for newer ones")
	v.sees("feed?filter=total+%3E", nil, 200, "Syntax error")
	v.sees(page+"/history", nil, 200, "EndpointCreated", "link:")

	v.sees(v.leads(page+"/do/pause", url.Values{"key": {"k2"}}, "/console/"+page), nil, 200, "Deliveries are paused", "where it stopped")
	v.sees(v.leads(page+"/do/resume", url.Values{"key": {"k3"}, "from": {""}, "at": {""}}, "/console/"+page), nil, 200, "active")
	v.leads(page+"/do/test", url.Values{"key": {"k4"}}, "/console/"+page)
	v.leads(page+"/do/test", url.Values{"key": {"k4"}}, "/console/"+page) // the same form again
	v.eventuallySees(page+"/attempts", "endpoint.test")
	if all := v.sees(page+"/attempts", nil, 200); strings.Count(all, ">endpoint.test<") != 1 {
		t.Errorf("a form that was sent twice counts twice:\n%s", all)
	}
	v.sees(page+"/do/dance", url.Values{}, 404)

	v.sees(page+"/replays", url.Values{"from": {"beginning"}, "do": {"count"}}, 200, "are for this endpoint", "order.placed: 1")
	v.sees(page+"/replays", url.Values{"from": {"someday"}, "only": {"all"}, "do": {"begin"}}, 422, "/from")
	replay := v.leads(page+"/replays", url.Values{"from": {"beginning"}, "only": {"all"}, "types": {"order.placed"}, "do": {"begin"}, "key": {"k5"}}, "/console/"+page+"/replays/replay_")
	v.eventuallySees(strings.Split(replay, "?")[0], "completed")
	v.sees(page+"/replays", nil, 200, "completed", "100.0 %")
	v.sees(page+"/"+delivery, nil, 200, "replay_")
	v.sees(v.leads(page+"/"+delivery+"/do/resend", url.Values{"key": {"k6"}}, "/console/"+page), nil, 200, "on its way again")

	v.sees(page+"/filter", url.Values{"filter": {"total > 100"}, "do": {"try"}}, 200, "would have been let through")
	v.sees(page+"/filter", url.Values{"filter": {"total >"}, "do": {"try"}}, 200, "Syntax error")
	v.sees(page+"/filter", url.Values{"filter": {"total >"}, "do": {"save"}}, 200, "Syntax error")
	v.leads(page+"/filter", url.Values{"filter": {"total > 100"}, "types": {"order.placed", "order.shipped"}, "do": {"save"}}, "/console/"+page+"/filter")
	if e, err := p.api.Endpoint(t.Context(), id); err != nil || e.Filter != "total > 100" || len(e.EventTypes) != 2 {
		t.Errorf("the endpoint is %+v, %v", e, err)
	}
	if _, err := p.api.ChangeEndpoint(t.Context(), id, client.EndpointChange{}, map[string]any{"event_types": []string{"*"}}); err != nil {
		t.Fatal(err)
	}
	v.sees(page+"/filter", nil, 200, "<option selected>*</option>", "<option>order.placed</option>")
	v.sees(page+"/secrets", nil, 200, "whpk_", "Make a new secret")
	v.sees(page+"/secrets", url.Values{"hours": {"24"}, "key": {"k7"}}, 200, "whsec_", "signs beside it until")
	v.sees(page+"/secrets", url.Values{"hours": {"x"}}, 422, "not a number")
	v.sees("endpoints/none", nil, 404, "there is no such endpoint")
	v.sees("nothing", nil, 404, "no such page")
	v.leads("leave", url.Values{}, "/console/enter")
	v.leads(page, nil, "/console/enter?next=")
}

func TestTheConsoleShowsNobodyWhatIsNotHis(t *testing.T) {
	t.Parallel()
	p := startSagas(t)
	for _, id := range []string{"east", "west"} {
		if _, err := p.api.RegisterPartner(t.Context(), client.Partner{ID: id, Name: id, Channels: []string{id}}); err != nil {
			t.Fatal(err)
		}
	}
	east, west := p.entered(t, client.NewConsoleLink{PartnerID: "east"}), p.entered(t, client.NewConsoleLink{PartnerID: "west"})
	made := east.sees("endpoints", url.Values{"url": {taking(t)}, "key": {"k"}}, 200, "whsec_")
	page := regexp.MustCompile(`endpoints/[0-9a-f-]+`).FindString(made)
	east.sees(page, nil, 200, "active")
	east.eventuallySees("endpoints", "/hooks") // the list follows the log
	west.sees("endpoints", nil, 200, "There is no endpoint yet")
	for _, path := range []string{"", "/attempts", "/undelivered", "/replays", "/filter", "/secrets", "/history"} {
		west.sees(page+path, nil, 404)
	}
	west.sees(page+"/do/pause", url.Values{}, 404)
	west.sees(page+"/secrets", url.Values{"hours": {"0"}}, 404)

	looking := p.entered(t, client.NewConsoleLink{PartnerID: "east", ReadOnly: true})
	looking.sees(page, nil, 200)
	looking.sees(page+"/do/pause", url.Values{}, 403)
	looking.sees(page+"/secrets", url.Values{"hours": {"0"}}, 403)
	east.sees(page, nil, 200, "active")

	if _, err := p.api.CreateConsoleLink(t.Context(), client.NewConsoleLink{PartnerID: "north"}); err == nil {
		t.Error("there is a link for nobody")
	}
	if _, err := client.New(p.url, "nonsense").CreateConsoleLink(t.Context(), client.NewConsoleLink{}); err == nil {
		t.Error("anybody may make links")
	}
}

func TestTheConsoleLetsNobodyInWithoutAKey(t *testing.T) {
	t.Parallel()
	p := startSagas(t)
	v := p.visitor(t)
	v.leads("", nil, "/console/endpoints")
	v.leads("endpoints", nil, "/console/enter")
	v.leads("feed?types=order.placed", nil, "/console/enter?next=%2Fconsole%2Ffeed%3Ftypes%3Dorder.placed")
	v.leads("endpoints/x/do/pause", url.Values{}, "/console/enter")
	v.sees("session", url.Values{"key": {"wb_nonsense"}}, 401, "not valid any more")
	v.sees("session", url.Values{}, 401)
	readers, err := p.api.IssueKey(t.Context(), client.NewKey{Name: "reader", Scopes: []string{"orders:read"}})
	if err != nil {
		t.Fatal(err)
	}
	v.sees("session", url.Values{"key": {readers.Key}}, 403, "may not see webhooks")
	for _, next := range []string{"https://evil.example/", "//evil.example/console/", "/v1/orders", `/console/\evil`} {
		if where := p.visitor(t).leads("session", url.Values{"key": {fuzzAdminKey}, "next": {next}}, "/console/endpoints"); where != "endpoints" {
			t.Errorf("after signing in, %q leads to %q", next, where)
		}
	}
	v.leads("session", url.Values{"key": {" " + fuzzAdminKey + "\n"}, "next": {"/console/feed"}}, "/console/feed")
	v.sees("feed", nil, 200)
	for path, status := range map[string]int{"static/console.css": 200, "static/": 404, "static/nothing.css": 404} {
		if answer, _ := v.do(path, nil); answer.StatusCode != status {
			t.Errorf("%s is answered %d, want %d", path, answer.StatusCode, status)
		}
	}

	if answer, _ := v.do("endpoints/x/do/pause", url.Values{}, "Sec-Fetch-Site", "cross-site"); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site is answered %d", answer.StatusCode)
	}
	answer, _ := v.do("feed", nil)
	for header, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff"} {
		if got := answer.Header.Get(header); !strings.Contains(got, want) || strings.Contains(got, "unsafe") {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}
	at, err := url.Parse(v.base)
	if err != nil {
		t.Fatal(err)
	}
	cookie := v.http.Jar.Cookies(at)[0]
	forged := p.visitor(t)
	for name, value := range map[string]string{"cut": cookie.Value[:20], "changed": "A" + cookie.Value[1:], "in the clear": "eyJrZXkiOiJ4In0", "nothing": ""} {
		forged.http.Jar.SetCookies(at, []*http.Cookie{{Name: cookie.Name, Value: value, Path: "/console/"}})
		if where := forged.leads("feed", nil, "/console/enter"); where == "feed" {
			t.Errorf("a cookie that is %s lets somebody in", name)
		}
	}
	if err := p.api.RevokeKey(context.WithoutCancel(t.Context()), readers.ID); err != nil {
		t.Fatal(err)
	}
}

// TestTheConsoleShowsWhatCannotBeMade: whoever looks for a message sees that
// there was one, and why it does not come.
func TestTheConsoleShowsWhatCannotBeMade(t *testing.T) {
	t.Parallel()
	p := startSagas(t)
	v := p.entered(t, client.NewConsoleLink{})
	id := p.place(t, "EUR", 1, "BROKEN-1")
	p.breaks(t, "order-"+id)
	feed := v.eventuallySees("feed?types=order.placed,order.held", "1 in between cannot be made")
	if !strings.Contains(feed, ">unreadable<") || !strings.Contains(feed, "order.held · <a") {
		t.Errorf("the feed does not say what it left out:\n%s", feed)
	}
	timeline := v.sees("timeline?id="+id+"&type=order", nil, 200, "· order.placed</h2>", "cannot read its event")
	if broken := strings.Index(timeline, "· order.held <span"); broken < strings.Index(timeline, "· order.placed</h2>") {
		t.Errorf("the message is not in its place:\n%s", timeline)
	}
}

// breaks appends an event to a stream that nobody can read.
func (p sagas) breaks(t *testing.T, stream string) {
	t.Helper()
	codec, err := eventstore.NewCodec(order.EventTypes()...)
	if err != nil {
		t.Fatal(err)
	}
	store, err := eventstore.NewClient(eventstore.Config{ConnectionString: p.store, Codec: codec, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	held := eventstore.NewEvent{ID: uuid.New(), Event: order.OrderHeld{}, Content: []byte(`{"order_id":17}`)}
	if _, err := store.Append(t.Context(), stream, eventstore.Any, held); err != nil {
		t.Fatal(err)
	}
}
