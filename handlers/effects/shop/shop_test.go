package shop_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/handlers/effects/effectstest"
	"github.com/waybill-dev/waybill/handlers/effects/shop"
	"github.com/waybill-dev/waybill/vault"
)

func TestAmountsAndDaysAreWrittenAsALanguageDoes(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 3, 14, 23, 30, 0, 0, time.FixedZone("", -3600))
	for _, row := range []struct {
		language shop.Language
		money    domain.Money
		want     string
	}{
		{shop.English, domain.Money{Amount: 123456789, Currency: "EUR"}, "1,234,567.89\u00a0EUR 15 March 2026"},
		{shop.German, domain.Money{Amount: 123456789, Currency: "EUR"}, "1.234.567,89\u00a0EUR 15. März 2026"},
		{shop.English, domain.Money{Amount: -5, Currency: "GBP"}, "-0.05\u00a0GBP 15 March 2026"},
		{shop.English, domain.Money{Amount: -123456, Currency: "JPY"}, "-123,456\u00a0JPY 15 March 2026"},
		{shop.German, domain.Money{Amount: 1000, Currency: "KWD"}, "1,000\u00a0KWD 15. März 2026"},
	} {
		if got := row.language.Money(row.money) + " " + row.language.Date(day); got != row.want {
			t.Errorf("%s, want %s", got, row.want)
		}
	}
}

func TestTheBuyerIsWhoTheVaultKnows(t *testing.T) {
	t.Parallel()
	v := effectstest.NewVault(t)
	effectstest.Residents(t, v)
	effectstest.Keep(t, v, "x", "austrian", vault.Contact{Email: "x@example.com", Language: "de-AT"})
	effectstest.Keep(t, v, "x", "french", vault.Contact{Email: "x@example.com", Language: "fr", Address: &vault.Address{City: "Lyon", Country: "FR"}})
	cfg := effectstest.Shop()
	for name, row := range map[string]struct {
		o    order.State
		want shop.Buyer
	}{
		"with an address": {
			order.State{ContactRef: "contact-o1", ShipToRef: "ship-o1"},
			shop.Buyer{Email: "ada@example.com", Name: "Ada Lovelace", ShipTo: &vault.Address{Line1: "1 High Street", City: "Leeds", PostalCode: "LS1 1UR", Country: "GB"}, Language: shop.English},
		},
		"of a country":               {order.State{ShipToCountry: "CH"}, shop.Buyer{Language: shop.German}},
		"who said which language":    {order.State{ContactRef: "austrian", ShipToCountry: "GB"}, shop.Buyer{Email: "x@example.com", Language: shop.German}},
		"whose language has no text": {order.State{ContactRef: "french", ShipToCountry: "DE"}, shop.Buyer{Email: "x@example.com", Language: shop.German, ShipTo: &vault.Address{City: "Lyon", Country: "FR"}}},
		"who was erased":             {order.State{ContactRef: "contact-o5", ShipToCountry: "GB"}, shop.Buyer{Language: shop.English, Erased: true}},
		"whose address was erased":   {order.State{ContactRef: "contact-o1", ShipToRef: "ship-o5"}, shop.Buyer{Language: shop.English, Erased: true}},
	} {
		got, err := cfg.Buyer(t.Context(), v, row.o)
		if diff := cmp.Diff(row.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	link := shop.Config{URL: "https://a.example/", OrderURL: "https://b.example/o/{number}?id={id}"}
	o := order.State{OrderID: "a b", Number: "17"}
	if got := link.Link(o); got != "https://b.example/o/17?id=a%20b" {
		t.Error(got)
	}
	if link.OrderURL = ""; link.Link(o) != "https://a.example/v1/orders/a%20b" {
		t.Error(link.Link(o))
	}
}
