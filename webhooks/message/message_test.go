package message_test

import (
	"bytes"
	stdcmp "cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/domain/checkoutfailure"
	"github.com/waybill-dev/waybill/domain/creditnote"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/message"
)

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

func gbp(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "GBP"} }

var noon = time.Date(2026, 8, 21, 12, 0, 0, 123_456_789, time.UTC)

// examples are events that say more than the golden ones of their packages.
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
		"endpoint-3c0e7a52-9d41-5be1-9d5f-2b7c6f1f0a44": endpoint.Disabled{
			EndpointID: "3c0e7a52-9d41-5be1-9d5f-2b7c6f1f0a44", Reason: endpoint.ReasonGone, DisabledAt: noon,
		},
		"product-MUG-1": catalog.ProductRegistered{
			SKU: "MUG-1", Title: "Mug", Prices: []catalog.Price{{Money: eur(1250)}, {Money: eur(1390), Region: "IE"}}, RegisteredAt: noon,
		},
		"product-MUG-2": catalog.PriceChanged{SKU: "MUG-2", Price: catalog.Price{Money: eur(1190)}, ChangedAt: noon},
		"customer-5b0d9a77-2c1e-5a36-9a3f-6e0c41f2a9d0": customer.CustomerErased{
			CustomerID: "5b0d9a77-2c1e-5a36-9a3f-6e0c41f2a9d0", KeyID: "PRIVATE", At: noon,
		},
		"checkoutfailure-5d0c7d52-6b0e-5f2c-9a3b-0f4d7c1e8a10": checkoutfailure.CheckoutFailureAnnounced{
			CheckoutID: "5d0c7d52-6b0e-5f2c-9a3b-0f4d7c1e8a10", CustomerID: "6f1d0b8e-54c5-5a8e-8d46-3f9f0e7b2c11", ShipToCountry: "DE",
			Lines: []checkoutfailure.Line{{SKU: "MUG-1", Quantity: 2}}, Total: eur(2500), Reason: "payment-declined", Channel: "web",
			StartedAt: noon, FailedAt: noon.Add(2 * time.Minute),
		},
		"creditnote-1d7b9c52-8f0e-5c47-a7b1-9c2f40f1be33": creditnote.CreditNoteRecorded{
			CreditNoteID: "1d7b9c52-8f0e-5c47-a7b1-9c2f40f1be33", CustomerID: "5b0d9a77-2c1e-5a36-9a3f-6e0c41f2a9d0", ShipToCountry: "GB", Currency: "GBP",
			Lines:    []creditnote.Line{{SKU: "85123A", Title: "White hanging heart", Quantity: 3, UnitPrice: gbp(255), Total: gbp(765)}},
			Total:    gbp(765),
			External: creditnote.External{Source: "online-retail", Ref: "C536379", Time: noon.Add(-time.Hour)},
		},
	}
}

// fuller are golden messages with fields that came later.
func fuller() map[string]domain.Event {
	line := order.Line{LineID: "1", SKU: "MUG-1", Title: "Mug", Quantity: 2, UnitPrice: eur(1250), Discount: eur(250), Tax: eur(428), Total: eur(2678)}
	return map[string]domain.Event{
		"order.placed.v1.full.json": order.OrderPlaced{
			OrderID: "0b9e6a3c", Number: "W-1002", CustomerID: "6f1d", ShipToCountry: "DE", Currency: "EUR", Channel: "web", Lines: []order.Line{line},
			Shipping:  order.Shipping{Method: "standard", Price: eur(490), Tax: eur(93)},
			Discounts: []order.Discount{{Code: "WELCOME", Amount: eur(250)}},
			Totals:    order.Totals{Subtotal: eur(2500), Discount: eur(250), Shipping: eur(490), Tax: eur(521), Grand: eur(3261)}, PlacedAt: noon,
		},
		"order.address_changed.v1.country.json": order.OrderAddressChanged{OrderID: "0b9e6a3c", ShipToRef: "PRIVATE", ShipToCountry: "AT"},
	}
}

func codec(t *testing.T) *eventstore.Codec {
	t.Helper()
	c, err := eventstore.NewCodec(slices.Concat(
		order.EventTypes(), endpoint.EventTypes(), catalog.EventTypes(), customer.EventTypes(), creditnote.EventTypes(), checkoutfailure.EventTypes(),
	)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func build(t *testing.T, stream string, event domain.Event) message.Message {
	t.Helper()
	data, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return buildStored(t, stream, event.EventName(), data)
}

func buildStored(t *testing.T, stream, name string, data []byte) message.Message {
	t.Helper()
	m, err := message.NewCatalogue(message.Kinds()).Build(codec(t).Bind(eventstore.Recorded{
		ID: uuid.MustParse("0b9e6a3c-8d7a-5b1e-9f00-1234567890ab"), Stream: stream, Type: name, Created: noon, Data: data,
	}))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// stored returns the golden events of a kind, by the word in the file's name.
func stored(t *testing.T, name string) map[string][]byte {
	t.Helper()
	events := map[string][]byte{}
	for _, pattern := range []string{"../../domain/*/testdata/", "../endpoint/testdata/"} {
		paths, err := filepath.Glob(pattern + name + ".v*.json")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			word := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), name+"."), ".json")
			_, word, _ = strings.Cut(word, ".")
			events[word] = data
		}
	}
	return events
}

// messages has the messages of each golden event, by the name of their golden
// file. Where there is an example, it stands for the plain golden event.
func messages(t *testing.T) map[string]message.Message {
	t.Helper()
	all := map[string]message.Message{}
	for stream, event := range examples() {
		m := build(t, stream, event)
		all[fmt.Sprintf("%s.v%d.json", m.Public, m.Version)] = m
	}
	for name, event := range fuller() {
		all[name] = build(t, "order-0b9e6a3c", event)
	}
	for _, kind := range message.Kinds() {
		for word, data := range stored(t, kind.Stored) {
			name := fmt.Sprintf("%s.v%d.json", kind.Public, kind.Version)
			if word != "" {
				name = fmt.Sprintf("%s.v%d.%s.json", kind.Public, kind.Version, word)
			}
			if _, taken := all[name]; !taken {
				all[name] = buildStored(t, streamOf(t, kind, data), kind.Stored, data)
			}
		}
	}
	return all
}

// streamOf returns the stream that a golden event would be in.
func streamOf(t *testing.T, kind message.Kind, data []byte) string {
	t.Helper()
	var about struct {
		OrderID    string `json:"order_id"`
		SKU        string `json:"sku"`
		EndpointID string `json:"endpoint_id"`
	}
	if err := json.Unmarshal(data, &about); err != nil {
		t.Fatal(err)
	}
	return kind.Aggregate + "-" + stdcmp.Or(about.OrderID, about.SKU, about.EndpointID, "0b9e6a3c")
}

var update = flag.Bool("update", false, "write missing golden messages; those that exist are never changed")

// Partners rely on these bytes: a file is never edited, a changed form is a
// new version with a file of its own.
func TestGoldenMessages(t *testing.T) {
	t.Parallel()
	all := messages(t)
	for name, m := range all {
		body, err := m.Body(message.Place{Sequence: 7, Previous: 5, Cursor: "c1.cursor"})
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := json.Indent(&got, body, "", "  "); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		want, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) && *update {
			want, err = got.Bytes(), os.WriteFile(path, append(got.Bytes(), '\n'), 0o600)
		}
		if err != nil {
			t.Fatalf("every public message has a golden file (go test -update writes missing ones): %v", err)
		}
		if diff := cmp.Diff(strings.TrimSpace(string(want)), got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, kind := range message.Kinds() {
		if _, ok := all[fmt.Sprintf("%s.v%d.json", kind.Public, kind.Version)]; !ok {
			t.Errorf("%s has no example", kind.Public)
		}
	}
}

// What is ours alone, or leads to personal data, stays with us: every field is
// filled with its own name, and none of these may be in a message.
func TestNoMessageShowsWhatIsOursAlone(t *testing.T) {
	t.Parallel()
	kinds := map[string]message.Kind{}
	for _, kind := range message.Kinds() {
		kinds[kind.Stored] = kind
	}
	types := slices.Concat(order.EventTypes(), endpoint.EventTypes(), catalog.EventTypes(), customer.EventTypes(), creditnote.EventTypes(), checkoutfailure.EventTypes())
	for _, typ := range types {
		kind, public := kinds[typ.Zero.EventName()]
		if !public {
			continue
		}
		event := reflect.New(reflect.TypeOf(typ.Zero)).Elem()
		fill(event, "")
		data, err := kind.Data(event.Interface().(domain.Event))
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, ours := range []string{
			"ContactRef", "ShipToRef", "BillToRef", "NoteRef", "TextRef", "ReservationID", "CheckoutID", `"By"`, "Released", "KeyID", "SealedSecret",
		} {
			if bytes.Contains(body, []byte(ours)) && (ours != "CheckoutID" || kind.Aggregate != "checkout") {
				t.Errorf("%s shows %s: %s", kind.Public, ours, body)
			}
		}
	}
}

// fill sets every text to its field's name.
func fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), v.Type().Field(i).Name)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name)
	case reflect.String:
		v.SetString(name)
	default:
	}
}

func TestEveryKindSaysWhenItIsSent(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, kind := range message.Kinds() {
		if !strings.HasSuffix(kind.Sent, ".") || !strings.HasSuffix(kind.Promise, ".") {
			t.Errorf("%s: when is it sent, and what may a receiver rely on? %q, %q", kind.Public, kind.Sent, kind.Promise)
		}
		if seen[kind.Public] || !regexp.MustCompile(`^[a-z]+\.[a-z_]+$`).MatchString(kind.Public) {
			t.Errorf("%s: a public type is one word of what it is about, a point and what happened, and there once", kind.Public)
		}
		seen[kind.Public] = true
		if _, both := message.Unpublished()[kind.Stored]; both {
			t.Errorf("%s is public and not", kind.Stored)
		}
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
	m := build(t, "order-big", placed)
	body, err := m.Body(message.Place{Sequence: 3, Cursor: "c"})
	var envelope struct {
		Data struct {
			Thin bool
			Href string
		}
	}
	if err == nil {
		err = json.Unmarshal(body, &envelope)
	}
	want := "/v1/events/" + m.ID + "?aggregate=big&sequence=3&type=order"
	if err != nil || len(body) > 1000 || !envelope.Data.Thin || envelope.Data.Href != want {
		t.Errorf("%d bytes, %v: %.300s", len(body), err, body)
	}
	body, err = m.Body(message.Place{Sequence: 3, EndpointID: "e1"})
	if err != nil || !strings.Contains(string(body), "aggregate=big\\u0026endpoint_id=e1\\u0026sequence=3") {
		t.Errorf("of an endpoint, %v: %.300s", err, body)
	}
}

func TestTypesAreThoseOneMayAskFor(t *testing.T) {
	t.Parallel()
	c := message.NewCatalogue(message.Kinds())
	if types := c.Types(); !slices.Contains(types, "order.shipped") || slices.Contains(types, "endpoint.test") || !slices.IsSorted(types) {
		t.Errorf("types %v", types)
	}
	if prefixes := c.Prefixes(); !slices.Equal(prefixes, []string{"checkoutfailure-", "creditnote-", "customer-", "endpoint-", "order-", "product-"}) {
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

// TestWhatMattersIsWhatIsFolded: of an event that cannot be read it must be known
// whether anything is chosen by it.
func TestWhatMattersIsWhatIsFolded(t *testing.T) {
	t.Parallel()
	c := codec(t)
	for _, pattern := range []string{"../../domain/*/testdata/", "../endpoint/testdata/"} {
		paths, err := filepath.Glob(pattern + "*.v*.json")
		if err != nil || len(paths) == 0 {
			t.Fatal(err, paths)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, rest, _ := strings.Cut(filepath.Base(path), ".v")
			schema, _, _ := strings.Cut(rest, ".")
			event, err := c.Bind(eventstore.Recorded{Type: name, Data: data, RawMetadata: []byte(`{"schema":` + schema + `}`)}).Decode()
			if errors.Is(err, eventstore.ErrUnknownType) {
				continue // of an island with nothing public
			}
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			before := &message.Attributes{}
			if folded := message.Fold(before, event) != before; folded != message.Matters(name) {
				t.Errorf("%s: folded %t, matters %t", name, folded, message.Matters(name))
			}
		}
	}
}
