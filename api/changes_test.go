package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/client"
)

var errEnough = errors.New("enough")

// followed reads n changes of an order, and returns them with where to go on.
func (o ordered) followed(c *client.Client, after string, n int, opened func()) (types []string, next string) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	if opened != nil {
		var acting sync.WaitGroup
		acting.Go(opened)
		defer acting.Wait() // what it does may be heard of before it is answered
	}
	next, err := c.FollowOrder(ctx, o.id, after, func(change client.OrderChange) error {
		if len(types) == n {
			return errEnough
		}
		types = append(types, fmt.Sprint(change.Revision, " ", change.Type, " ", change.Status))
		if len(types) == n {
			cancel() // the event is whole before the stream ends
		}
		return nil
	})
	if ctx.Err() == nil && err != nil {
		o.t.Fatal(err)
	}
	return types, next
}

// Whoever follows an order gets everything that happens to it once and in
// order, also across a break.
func TestAnOrderIsFollowed(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	o := p.ordered()
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	o.step("tags", `{"add": ["a"]}`)
	o.step("tags", `{"add": ["b"]}`)
	first, _ := o.followed(c, "0", 2, nil)
	if diff := cmp.Diff([]string{"1 OrderTagged placed", "2 OrderTagged placed"}, first); diff != "" {
		t.Errorf("what was missed (-want +got):\n%s", diff)
	}
	live, _ := o.followed(c, "2", 2, func() {
		o.step("hold", `{"reason": "manual"}`)
		o.step("release", `{}`)
	})
	if diff := cmp.Diff([]string{"3 OrderHeld on_hold", "4 OrderHoldReleased placed"}, live); diff != "" {
		t.Errorf("what happens meanwhile (-want +got):\n%s", diff)
	}
	again, _ := o.followed(c, "3", 1, nil)
	if diff := cmp.Diff([]string{"4 OrderHoldReleased placed"}, again); diff != "" {
		t.Errorf("after a break (-want +got):\n%s", diff)
	}
	p.get("/v1/orders/nobody/changes").problem(404, "not-found")
	p.get("/v1/orders/"+o.id+"/changes?after=x").problem(422, "invalid-request")
	stranger := p.key("catalog:write")
	for _, path := range []string{"/v1/orders/" + o.id + "/changes", "/v1/orders/changes"} {
		p.do(request{method: http.MethodGet, path: path, key: stranger}).problem(403, "forbidden")
	}
}

// Whoever follows a list is told of every order that comes into it, changes in
// it or leaves it, as the list shows it from then on.
func TestAListIsFollowed(t *testing.T) {
	t.Parallel()
	p := shop(t, 20)
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	start := p.get("/v1/orders").expect(200).header.Get("X-Read-Position")
	o := p.ordered()
	other := p.ordered()
	told := func(after string, until func(client.ListChange) bool) (all []string, next string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		next, err := c.FollowOrders(ctx, url.Values{"status": {"placed"}}, after, func(change client.ListChange) error {
			all = append(all, fmt.Sprint(change.OrderID == o.id, change.Matches, change.Order != nil))
			if until(change) {
				cancel()
			}
			return nil
		})
		if ctx.Err() == nil {
			t.Fatalf("the stream ended: %v", err)
		}
		return all, next
	}
	_, next := told(start, func(change client.ListChange) bool { return change.OrderID == other.id && change.Matches })
	o.step("hold", `{"reason": "manual"}`)
	gone, _ := told(next, func(change client.ListChange) bool { return change.OrderID == o.id && !change.Matches })
	if len(gone) == 0 || gone[len(gone)-1] != "true false false" {
		t.Errorf("what left the list: %v", gone)
	}
	other.step("tags", `{"add": ["x"]}`)
	changed, _ := told(next, func(change client.ListChange) bool {
		return change.OrderID == other.id && change.Order != nil && len(change.Order.Tags) == 1
	})
	if len(changed) == 0 {
		t.Error("a change in the list is not told")
	}
}

// A stream ends when the server begins to stop, and not before.
func TestStreamsEndWhenTheServerStops(t *testing.T) {
	t.Parallel()
	stopping, stop := context.WithCancel(t.Context())
	p := startWith(t, func(a *api.API) { a.Stopping = stopping })
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/orders/changes", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminKey)
	response, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text := make([]byte, 1<<10)
	if n, err := response.Body.Read(text); err != nil || string(text[:n]) != ": waybill\n\n" {
		t.Fatalf("it begins with %q, %v", text[:n], err)
	}
	stop()
	for err == nil {
		_, err = response.Body.Read(text)
	}
	if err.Error() != "EOF" {
		t.Errorf("it ends with %v", err)
	}
}
