package webhooks_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// newRealPlatform is a platform with the events and messages of the program.
func newRealPlatform(t *testing.T) *platform {
	t.Helper()
	p := newPlatform(t)
	types, err := eventstore.NewCodec(slices.Concat(order.EventTypes(), customer.EventTypes(), endpoint.EventTypes())...)
	if err != nil {
		t.Fatal(err)
	}
	p.log = connectWith(t, nodetest.Start(t), types)
	p.catalogue = message.NewCatalogue(message.Kinds())
	return p
}

// put records an endpoint as the log would have it.
func (p *platform) put(settings endpoint.Settings, tenant string, channels ...string) string {
	p.tb.Helper()
	id := uuid.NewString()
	stream := endpoint.Decider.Stream(id)
	secret, err := signing.NewSecret(rand.Reader)
	if err != nil {
		p.tb.Fatal(err)
	}
	sealed, err := p.keys.Seal(secret.Key(), []byte(tenant+"|"+id+"|1"))
	if err != nil {
		p.tb.Fatal(err)
	}
	p.write(stream, eventstore.NoStream, endpoint.Created{
		EndpointID: id, TenantID: tenant, Channels: channels, Settings: settings, SealedSecret: sealed, SecretVersion: 1, CreatedAt: time.Now(),
	})
	return id
}

// write appends events to a stream.
func (p *platform) write(stream string, after eventstore.Revision, events ...domain.Event) {
	p.tb.Helper()
	for i, event := range events {
		after := after + eventstore.Revision(i)
		if _, err := p.log.Append(p.tb.Context(), stream, after, eventstore.NewEvent{ID: uuid.New(), Event: event, Metadata: meta()}); err != nil {
			p.tb.Fatal(err)
		}
	}
}

func ordered(channel string, total int64) order.OrderPlaced {
	return order.OrderPlaced{
		Channel: channel, Currency: "EUR", Lines: []order.Line{{LineID: "1", SKU: "MUG-1", Quantity: 1}},
		Totals: order.Totals{Grand: domain.Money{Amount: total, Currency: "EUR"}},
	}
}

// told returns type and number of what came about an aggregate.
func (r *receiver) told(id string) string {
	var types []string
	for _, m := range r.all() {
		if m.Aggregate.ID == id {
			types = append(types, m.Type+" "+r.numbers(id)[len(types)])
		}
	}
	return strings.Join(types, ", ")
}

func TestFiltersAndChannelsChooseAlsoByWhatTheOrderSaidBefore(t *testing.T) {
	t.Parallel()
	p := newRealPlatform(t)
	dear, web, shop := newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)
	p.put(endpoint.Settings{URL: dear.URL, EventTypes: []string{"*"}, Filter: `aggregate_type == "order" && total >= 1000`}, "")
	p.put(endpoint.Settings{URL: web.URL, EventTypes: []string{"*"}}, "acme", "web")
	p.put(endpoint.Settings{URL: shop.URL, EventTypes: []string{"order.shipped"}, Filter: `channel == ""`}, "")
	p.start()
	held := order.OrderHeld{HoldID: "h", Reason: order.HoldFraud}
	p.write("order-a", eventstore.NoStream, ordered("web", 2000), held, order.OrderNoteAdded{}, order.OrderShipped{})
	p.write("order-b", eventstore.NoStream, ordered("", 10), order.OrderShipped{},
		order.OrderEdited{Totals: order.Totals{Grand: domain.Money{Amount: 5000, Currency: "EUR"}}}, order.OrderCompleted{})
	p.write("customer-c", eventstore.NoStream, customer.CustomerRegistered{}, customer.CustomerErased{CustomerID: "c"})
	p.write("order-last", eventstore.NoStream, ordered("web", 1000))
	p.write("order-last2", eventstore.NoStream, ordered("", 1), order.OrderShipped{})
	eventually(t, "all deliveries", func() bool { return dear.count() == 6 && web.count() == 5 && shop.count() == 2 })
	for _, c := range []struct {
		who      string
		r        *receiver
		of, want string
	}{
		{"dear", dear, "a", "order.placed 1<null, order.held 2<1, order.shipped 3<2"},
		{"dear", dear, "b", "order.edited 3<null, order.completed 4<3"},
		{"dear", dear, "c", ""},
		{"web", web, "a", "order.placed 1<null, order.held 2<1, order.shipped 3<2"},
		{"web", web, "b", ""},
		{"web", web, "c", "customer.erased 1<null"},
		{"shop", shop, "a", ""},
		{"shop", shop, "b", "order.shipped 2<null"},
	} {
		if got := c.r.told(c.of); got != c.want {
			t.Errorf("%s about %s: %s, want %s", c.who, c.of, got, c.want)
		}
	}
}

// TestAPartnerGetsNothingOfAChannelThatItHasNoMore, from a dispatcher that is
// at work, nor by a replay of the time when the channel was its own.
func TestAPartnerGetsNothingOfAChannelThatItHasNoMore(t *testing.T) {
	t.Parallel()
	p := newRealPlatform(t)
	r := newReceiver(t, nil)
	id := p.put(endpoint.Settings{URL: r.URL, EventTypes: []string{"order.placed", "order.shipped"}}, "acme", "web")
	d := p.start()
	p.write("order-before", eventstore.NoStream, ordered("web", 10))
	eventually(t, "an order of its channel", func() bool { return r.count() == 1 })
	if err := d.Endpoints.SetChannels(t.Context(), webhooks.Request{ID: id, Meta: meta()}, []string{"shop"}); err != nil {
		t.Fatal(err)
	}
	n := 0
	eventually(t, "an order of the new channel", func() bool {
		n++
		p.write(fmt.Sprint("order-shop", n), eventstore.NoStream, ordered("shop", 10))
		return r.count() > 1
	})
	p.write("order-before", 0, order.OrderShipped{})
	p.write("order-after", eventstore.NoStream, ordered("web", 10))
	p.write("order-last", eventstore.NoStream, ordered("shop", 10))
	eventually(t, "the last order", func() bool { return r.told("last") != "" })
	if told := r.told("before") + r.told("after"); told != "order.placed 1<null" {
		t.Errorf("of the channel that is not its any more came %s", told)
	}
	replay := p.replay(d, id, webhooks.NewReplay{From: webhooks.Beginning})
	p.completes(d, replay)
	for _, m := range of(replay.ReplayID, r.all()) {
		if !strings.HasPrefix(m.Aggregate.ID, "shop") && m.Aggregate.ID != "last" {
			t.Errorf("replayed of another channel: %s", m.Body)
		}
	}
}

// TestWhatWaitsIsWithdrawnWithItsChannel: a message that was tried while the
// channel was the partner's is not tried again, nor when somebody asks for it.
func TestWhatWaitsIsWithdrawnWithItsChannel(t *testing.T) {
	t.Parallel()
	p := newRealPlatform(t)
	p.config.Waits = slices.Repeat([]time.Duration{100 * time.Millisecond}, 100)
	var up atomic.Bool
	r := newReceiver(t, func(_ http.ResponseWriter, _ *http.Request, m received) int {
		if m.Aggregate.ID == "held" && !up.Load() {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	id := p.put(endpoint.Settings{URL: r.URL, EventTypes: []string{"order.placed", "order.shipped"}}, "acme", "web")
	d := p.start()
	p.write("order-held", eventstore.NoStream, ordered("web", 10), order.OrderShipped{})
	eventually(t, "an attempt", func() bool { return len(r.all()) > 0 })
	if err := d.Endpoints.SetChannels(t.Context(), webhooks.Request{ID: id, Meta: meta()}, []string{"shop"}); err != nil {
		t.Fatal(err)
	}
	given := func() (rows []delivery.Parked) {
		rows, err := d.Ledger.Undelivered(t.Context(), ledger.Key{EndpointID: id, RunID: ledger.Live}, ledger.Span{Until: math.MaxInt64}, 10)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	isGiven := func(row delivery.Parked) bool { return row.Dead && row.Class == delivery.ClassWithdrawn }
	eventually(t, "both to be given up", func() bool {
		rows := given()
		return len(rows) == 2 && isGiven(rows[0]) && isGiven(rows[1])
	})
	up.Store(true)
	before := len(r.all())
	rows := given()
	if _, err := d.Endpoints.Resend(t.Context(), webhooks.Request{ID: id, Meta: meta()}, endpoint.Chosen{
		EventID: rows[0].ID, Stream: rows[0].Lane, Revision: uint64(rows[0].Revision), Position: uint64(rows[0].Position),
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the resend to be given up", func() bool {
		attempts, err := d.Attempts(t.Context(), id, 100)
		if err != nil {
			t.Fatal(err)
		}
		attempts = slices.DeleteFunc(attempts, func(a ledger.Attempt) bool { return a.Class != delivery.ClassWithdrawn })
		return len(attempts) == 3 && attempts[0].EventID == rows[0].ID
	})
	p.write("order-later", eventstore.NoStream, ordered("shop", 10))
	eventually(t, "what is its own", func() bool { return r.told("later") != "" })
	if n := len(r.all()); n != before+1 {
		t.Errorf("%d messages came, want the one that is its own", n-before)
	}
}

// Contact and address are read when a message is sent: after the customer was
// erased, the next attempt at the same message says so.
func TestErasureReachesWhatWasNotDeliveredYet(t *testing.T) {
	t.Parallel()
	p := newRealPlatform(t)
	people, err := vault.Open(t.Context(), filepath.Join(t.TempDir(), "vault.db"), p.keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = people.Close() })
	p.people = people
	for ref, data := range map[string]any{
		"contact-1": vault.Contact{Email: "ada@example.com", Name: "Ada"}, "ship-1": vault.Address{Line1: "1 High Street", City: "Leeds", Country: "GB"},
	} {
		if err := people.Put(t.Context(), "ada", ref, data); err != nil {
			t.Fatal(err)
		}
	}
	var up atomic.Bool
	r := newReceiver(t, func(_ http.ResponseWriter, _ *http.Request, m received) int {
		if m.Type == "order.shipped" && !up.Load() {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	plain := newReceiver(t, nil)
	id := p.put(endpoint.Settings{URL: r.URL, EventTypes: []string{"*"}, PersonalData: true}, "")
	p.put(endpoint.Settings{URL: plain.URL, EventTypes: []string{"order.placed"}}, "")
	d := p.start()
	placed := ordered("", 1)
	placed.ContactRef, placed.ShipToRef = "contact-1", "ship-1"
	p.write("order-a", eventstore.NoStream, placed, order.OrderHeld{HoldID: "h", Reason: order.HoldFraud}, order.OrderShipped{ShipmentID: "s"})
	eventually(t, "a failed attempt", func() bool { return len(r.all()) >= 3 && plain.count() == 1 })
	if err := people.Erase(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	up.Store(true)
	eventually(t, "the delivery", func() bool { return r.count() == 3 })
	personal := func(body []byte) string {
		var m struct{ Personal json.RawMessage }
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		return string(m.Personal)
	}
	const whole = `{"contact":{"email":"ada@example.com","name":"Ada"},"ship_to":{"line1":"1 High Street","city":"Leeds","country":"GB"}}`
	all := r.all()
	first, last := all[0], all[len(all)-1]
	if got := personal(first.Body); got != whole {
		t.Errorf("before: %s", got)
	}
	if got := personal(all[1].Body); got != "" {
		t.Errorf("order.held says %s", got)
	}
	if got := personal(last.Body); last.Type != "order.shipped" || got != `{"erased":true}` {
		t.Errorf("after the erasure %s says %s", last.Type, got)
	}
	if got := personal(plain.all()[0].Body); got != "" {
		t.Errorf("an endpoint without leave got %s", got)
	}
	eventually(t, "the attempts", func() bool {
		attempts, err := d.Attempts(t.Context(), id, 10)
		for _, a := range attempts {
			if a.Body != "" || a.Head != "" {
				t.Errorf("an answer is kept that may repeat what was sent: %+v", a.Response)
			}
		}
		return err == nil && len(attempts) >= 4
	})
}
