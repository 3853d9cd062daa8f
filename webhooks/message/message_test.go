package message_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/message"
)

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

var noon = time.Date(2026, 8, 21, 12, 0, 0, 123_456_789, time.UTC)

// examples has one event of each published kind, with every field set.
func examples() map[string]domain.Event {
	return map[string]domain.Event{
		"order-0b9e6a3c": order.OrderPlaced{
			OrderID: "0b9e6a3c", Number: "W-1001", CheckoutID: "PRIVATE-checkout", CustomerID: "6f1d", ContactRef: "PRIVATE-contact",
			ShipToCountry: "DE", Currency: "EUR", PaymentID: "PRIVATE-payment", Authorised: eur(2400),
			Lines: []order.Line{{
				LineID: "1", SKU: "MUG-1", Title: "Tasse <blau> & ☕", Quantity: 2, UnitPrice: eur(1250), Discount: eur(200), Tax: eur(100),
				Total: eur(2400), Location: "PRIVATE-main", ReservationID: "PRIVATE-reservation",
			}},
			Totals:   order.Totals{Subtotal: eur(2500), Discount: eur(200), Shipping: eur(0), Tax: eur(100), Grand: eur(2400)},
			External: order.External{Source: "retail", Ref: "536365", Time: noon.Add(-time.Hour)}, PlacedAt: noon,
		},
		"endpoint-e1": endpoint.Tested{EndpointID: "e1", TestID: "t1", TestedAt: noon},
	}
}

func build(t *testing.T, stream string, event domain.Event) message.Message {
	t.Helper()
	codec, err := eventstore.NewCodec(append(order.EventTypes(), endpoint.EventTypes()...)...)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	m, err := message.NewCatalogue(message.Kinds()).Build(codec.Bind(eventstore.Recorded{
		ID: uuid.MustParse("0b9e6a3c-8d7a-5b1e-9f00-1234567890ab"), Stream: stream, Type: event.EventName(), Created: noon, Data: data,
	}))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Partners rely on these bytes: a file is never edited, a changed form is a
// new version with a file of its own.
func TestGoldenMessages(t *testing.T) {
	t.Parallel()
	found := 0
	for stream, event := range examples() {
		m := build(t, stream, event)
		body, err := m.Body(message.Place{Sequence: 7, Previous: 5, Cursor: "c1.cursor"})
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("%s.v%d.json", m.Public, m.Version)))
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := json.Indent(&got, body, "", "  "); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimSpace(string(want)), got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", m.Public, diff)
		}
		if bytes.Contains(body, []byte("PRIVATE")) {
			t.Errorf("%s shows what is ours alone: %s", m.Public, body)
		}
		found++
	}
	if kinds := len(message.Kinds()); found != kinds {
		t.Errorf("%d examples for %d kinds", found, kinds)
	}
}

func TestTheFirstMessageHasNoPrevious(t *testing.T) {
	t.Parallel()
	body, err := build(t, "endpoint-e1", endpoint.Tested{EndpointID: "e1"}).Body(message.Place{Sequence: 1, Cursor: "c"})
	if err != nil || !bytes.Contains(body, []byte(`"sequence":1,"previous":null,`)) {
		t.Errorf("%s, %v", body, err)
	}
}

func TestALargeMessageGoesOutThin(t *testing.T) {
	t.Parallel()
	placed := order.OrderPlaced{OrderID: "big"}
	for i := range 2000 {
		placed.Lines = append(placed.Lines, order.Line{LineID: fmt.Sprint(i), Title: strings.Repeat("x", 100), UnitPrice: eur(1)})
	}
	body, err := build(t, "order-big", placed).Body(message.Place{Sequence: 1, Cursor: "c"})
	if err != nil || len(body) > 1000 || !bytes.Contains(body, []byte(`"data":{"thin":true,"href":"/v1/orders/big"}}`)) {
		t.Errorf("%d bytes, %v: %.300s", len(body), err, body)
	}
}

func TestTypesAreThoseOneMayAskFor(t *testing.T) {
	t.Parallel()
	c := message.NewCatalogue(message.Kinds())
	if diff := cmp.Diff([]string{"order.placed"}, c.Types()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if prefixes := c.Prefixes(); !slices.Equal(prefixes, []string{"endpoint-", "order-"}) {
		t.Errorf("prefixes %v", prefixes)
	}
}

func TestWhatIsNotPublicIsNotBuilt(t *testing.T) {
	t.Parallel()
	c := message.NewCatalogue(message.Kinds())
	for _, r := range []eventstore.Recorded{{Type: "EndpointCreated"}, {Type: "OrderPlaced"}, {}} {
		if _, err := c.Build(r); err == nil {
			t.Errorf("%q was built", r.Type)
		}
	}
}
