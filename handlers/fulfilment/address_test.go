package fulfilment_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	domainorder "github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/gateways/warehouse"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
	"github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/vault"
)

// people starts a vault for a shop.
func (s *shop) people(t *testing.T) *vault.Vault {
	t.Helper()
	keys, err := vault.OpenKeyring("", base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(t.Context(), filepath.Join(t.TempDir(), "vault.db"), keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	s.People = v
	return v
}

func TestTheWarehouseIsToldWhereAParcelGoesAtThatMoment(t *testing.T) {
	t.Parallel()
	yard, client := startWarehouse(t)
	s := newWorld(t).shop(t)
	s.Warehouse = client
	people := s.people(t)
	c := basic("o")
	c.contactRef = "contact.1"
	s.place(t, c)
	for ref, data := range map[string]any{
		"contact.1": vault.Contact{Email: "a@example.com", Name: "Ada", Phone: "+44 1"},
		"address.1": vault.Address{Line1: "1 High Street", City: "Leeds", Country: "GB"},
		"address.2": vault.Address{
			Name: "Bob", Company: "Co", Line1: "2 High Street", Line2: "Flat 2", City: "Leeds", Region: "Yorkshire", PostalCode: "LS1 1UR", Country: "GB", Phone: "+44 2",
		},
	} {
		if err := people.Put(t.Context(), "u", ref, data); err != nil {
			t.Fatal(err)
		}
	}
	s.tell(t, "o", request("nowhere", 1, 0))
	s.must(t, "o", process.Fulfil, "nowhere")
	if _, err := s.try(t.Context(), "o", domainorder.ChangeAddress{ShipToRef: "address.1"}); !errors.Is(err, domainorder.ErrHandedOver) {
		t.Errorf("the warehouse is at a parcel that goes elsewhere now: %v", err)
	}
	s.parcel(t, "o", "nowhere", 1, 0)
	for _, n := range []string{"1", "2"} {
		s.tell(t, "o", domainorder.ChangeAddress{ShipToRef: "address." + n})
		s.tell(t, "o", request("to-"+n, 1, 0))
		s.must(t, "o", process.Fulfil, "to-"+n)
		s.parcel(t, "o", "to-"+n, 1, 0)
	}
	jobs, err := yard.Jobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*warehouse.Address{}
	for _, j := range jobs {
		got[j.RequestID] = j.ShipTo
	}
	want := map[string]*warehouse.Address{
		"nowhere": nil,
		"to-1":    {Name: "Ada", Line1: "1 High Street", City: "Leeds", Country: "GB", Phone: "+44 1"},
		"to-2": {
			Name: "Bob", Company: "Co", Line1: "2 High Street", Line2: "Flat 2", City: "Leeds", Region: "Yorkshire", PostalCode: "LS1 1UR", Country: "GB", Phone: "+44 2",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("where parcels go (-want +got):\n%s", diff)
	}
}

// The cause of a failure is stored and logged.
func TestAFailureOfTheWarehouseDoesNotTellTheAddress(t *testing.T) {
	t.Parallel()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = r.Write(w)
	}))
	t.Cleanup(echo.Close)
	s := newWorld(t).shop(t)
	client := warehouse.Connect(warehouse.Config{URL: echo.URL})
	t.Cleanup(client.Close)
	s.Warehouse = client
	people := s.people(t)
	s.place(t, basic("o"))
	if err := people.Put(t.Context(), "u", "address.1", vault.Address{Line1: "1 High Street", City: "Leeds", Country: "GB"}); err != nil {
		t.Fatal(err)
	}
	s.tell(t, "o", domainorder.ChangeAddress{ShipToRef: "address.1"})
	s.tell(t, "o", request("r", 1, 0))
	if err := s.do(t.Context(), "o", process.Fulfil, "r"); err == nil || strings.Contains(err.Error(), "High Street") || !strings.Contains(err.Error(), "422") {
		t.Errorf("the failure says %v", err)
	}
	if err := people.Erase(t.Context(), "u"); err != nil {
		t.Fatal(err)
	}
	if err := s.do(t.Context(), "o", process.Fulfil, "r"); err == nil || !strings.Contains(err.Error(), vault.ErrErased.Error()) {
		t.Errorf("nobody knows where it goes, and the task says %v", err)
	}
}

func TestAReplacementIsOfTheSamePersonAndGoesToTheSamePlace(t *testing.T) {
	t.Parallel()
	const id = "o"
	for guest, want := range map[bool]string{false: "u", true: "order:o"} {
		s := newWorld(t).shop(t)
		c := basic(id)
		c.contactRef, c.guest = "contact.1", guest
		s.place(t, c)
		s.tell(t, id, domainorder.ChangeAddress{ShipToRef: "elsewhere"})
		s.parcel(t, id, "a", 3, 2)
		if err := s.work(t, id); err != nil {
			t.Fatal(err)
		}
		s.comeBack(t, id, "b", domainorder.ForExchange, 2, 0)
		s.Replacements = fulfilment.Exchanges{Checkout: s.checkouts(t, "o-0", "o-1")}
		s.must(t, id, process.Return, "b")
		o := s.order(t, s.replacement(t, id+"/b/1"))
		if o.CustomerID != want || o.ContactRef != "contact.1" || o.ShipToRef != "elsewhere" {
			t.Errorf("guest %t: the replacement is of %q, reached at %q, and goes to %q", guest, o.CustomerID, o.ContactRef, o.ShipToRef)
		}
	}
}
