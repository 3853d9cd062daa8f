package receipt_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects/effectstest"
	"github.com/waybill-dev/waybill/handlers/effects/receipt"
	"github.com/waybill-dev/waybill/handlers/orders"
	"github.com/waybill-dev/waybill/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func service(w *effectstest.Town, v *vault.Vault) *receipt.Service {
	return &receipt.Service{Store: w.Store, Vault: v, Config: receipt.Config{Shop: effectstest.Shop()}}
}

// counted counts what is put into a vault.
type counted struct {
	*vault.Vault
	puts map[string]int
}

func (c counted) Put(ctx context.Context, subject, ref string, data any) error {
	c.puts[subject]++
	return c.Vault.Put(ctx, subject, ref, data)
}

func get(t *testing.T, s *receipt.Service, asked receipt.Asked) receipt.Document {
	t.Helper()
	d, err := s.Get(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// written is what a PDF says, without what is between: the library writes
// UTF-16 and compresses it.
func written(t *testing.T, pdf []byte) string {
	t.Helper()
	var out strings.Builder
	for _, part := range bytes.Split(pdf, []byte("stream\n"))[1:] {
		r, err := zlib.NewReader(bytes.NewReader(part))
		if err != nil {
			continue
		}
		plain, err := io.ReadAll(r)
		if err != nil || !bytes.Contains(plain, []byte(")Tj")) {
			continue
		}
		for piece := range bytes.SplitSeq(plain, []byte(")Tj")) {
			start := bytes.LastIndex(piece, []byte("Td ("))
			if start < 0 {
				continue
			}
			out.WriteString(decoded(piece[start+4:]) + "\n")
		}
	}
	return strings.ReplaceAll(out.String(), "\u00a0", " ")
}

func decoded(escaped []byte) string {
	var plain []byte
	for i := 0; i < len(escaped); i++ {
		if escaped[i] == '\\' && i+1 < len(escaped) {
			i++
			if escaped[i] == 'r' {
				plain = append(plain, '\r')
				continue
			}
		}
		plain = append(plain, escaped[i])
	}
	var units []uint16
	for i := 0; i+1 < len(plain); i += 2 {
		units = append(units, uint16(plain[i])<<8|uint16(plain[i+1]))
	}
	return string(utf16.Decode(units))
}

func TestDocumentsSayWhatTheOrderSays(t *testing.T) {
	t.Parallel()
	w, _ := effectstest.NewHistory(t)
	s := service(w, w.Vault)
	first := eventstore.Revision(0)
	for name, row := range map[string]struct {
		asked     receipt.Asked
		revision  eventstore.Revision
		says, not []string
	}{
		"a receipt after a refund": {
			receipt.Asked{Kind: receipt.Receipt, OrderID: "o1"},
			3,
			[]string{
				"Mugs & Bowls", "VAT ID GB 123 4567 89", "Receipt", "100001", "14 March 2026", "Ada Lovelace", "1 High Street", "LS1 1UR Leeds", "Mug, blue", "MUG-1", "10.00", "35.70", "Amount EUR",
				"Discount (MARCH)", "-0.02 EUR", "Tax 19 % (net 35.00 EUR)", "6.65 EUR", "Tax 7 % (net 10.00 EUR)", "0.70 EUR", "52.35 EUR", "Refunded", "-10.00 EUR", "Remaining", "42.35 EUR", "Questions? help@mugs.example",
			},
			[]string{"Carrier"},
		},
		"as it was before": {receipt.Asked{Kind: receipt.Receipt, OrderID: "o1", Revision: &first}, 0, []string{"52.35 EUR"}, []string{"Refunded"}},
		"in German, cancelled": {
			receipt.Asked{Kind: receipt.Receipt, OrderID: "o2"},
			3,
			[]string{"Beleg", "14. März 2026", "Jürgen Weiß", "Ring 2", "1010 Wien", "52,35 EUR", "Storniert", "Verbleibend", "0,00 EUR", "Steuer 19 % (netto 35,00 EUR)"},
			[]string{"Köln"},
		},
		"a packing slip of one parcel": {
			receipt.Asked{Kind: receipt.PackingSlip, OrderID: "o3", ShipmentID: "s3b"},
			5,
			[]string{"Packing slip", "s3b", "DHL", "D 5", "Bowl", "Ada Lovelace"},
			[]string{"EUR", "Bill to"},
		},
		"a packing slip of everything": {receipt.Asked{Kind: receipt.PackingSlip, OrderID: "o3"}, 0, []string{"Mug, blue", "Bowl"}, []string{"EUR"}},
		"of somebody erased":           {receipt.Asked{Kind: receipt.Receipt, OrderID: "o5"}, 0, []string{"[erased]", "52.35 EUR"}, []string{"Eve", "High Street"}},
		"for who may not know":         {receipt.Asked{Kind: receipt.Receipt, OrderID: "o1", Anonymous: true}, 3, []string{"52.35 EUR"}, []string{"Ada", "High Street"}},
		"of an order from elsewhere":   {receipt.Asked{Kind: receipt.Receipt, OrderID: "o4"}, 0, []string{"Bob"}, nil},
	} {
		d := get(t, s, row.asked)
		text := written(t, d.PDF)
		if d.Revision != row.revision || d.Name != string(row.asked.Kind)+"-10000"+row.asked.OrderID[1:]+".pdf" {
			t.Errorf("%s: revision %d, name %s", name, d.Revision, d.Name)
		}
		for _, want := range row.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q:\n%s", name, want, text)
			}
		}
		for _, not := range row.not {
			if strings.Contains(text, not) {
				t.Errorf("%s says %q:\n%s", name, not, text)
			}
		}
	}
}

func TestWhatThereIsNotIsRefused(t *testing.T) {
	t.Parallel()
	w, _ := effectstest.NewHistory(t)
	s := service(w, w.Vault)
	far, early := eventstore.Revision(99), eventstore.Revision(1)
	for name, row := range map[string]struct {
		asked receipt.Asked
		want  error
	}{
		"no order":              {receipt.Asked{Kind: receipt.Receipt, OrderID: "nothing"}, orders.ErrNotFound},
		"not that far":          {receipt.Asked{Kind: receipt.Receipt, OrderID: "o1", Revision: &far}, orders.ErrFuture},
		"no shipment":           {receipt.Asked{Kind: receipt.PackingSlip, OrderID: "o1", ShipmentID: "s9"}, receipt.ErrUnknownShipment},
		"a shipment to come":    {receipt.Asked{Kind: receipt.PackingSlip, OrderID: "o3", ShipmentID: "s3b", Revision: &early}, receipt.ErrUnknownShipment},
		"a receipt of a parcel": {receipt.Asked{Kind: receipt.Receipt, OrderID: "o1", ShipmentID: "s1"}, receipt.ErrUnknownShipment},
	} {
		if _, err := s.Get(t.Context(), row.asked); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADocumentIsMadeOnceAndIsTheSameWheneverItIsMade(t *testing.T) {
	t.Parallel()
	w, events := effectstest.NewHistory(t)
	puts := map[string]int{}
	s := &receipt.Service{Store: w.Store, Vault: counted{w.Vault, puts}, Config: receipt.Config{Shop: effectstest.Shop()}}
	for range 2 {
		for _, e := range events {
			if err := s.Handle(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Ada: two receipts and two slips of o1; one receipt and three slips of o3.
	// The guest: two of each. Nothing of an order from elsewhere, or of who was
	// erased.
	if puts["ada"] != 8 || puts["order:o2"] != 5 || len(puts) != 2 {
		t.Errorf("put %v", puts)
	}
	moved := effectstest.Shop()
	moved.Name = "Renamed"
	renamed := &receipt.Service{Store: w.Store, Vault: w.Vault, Config: receipt.Config{Shop: moved}}
	other := effectstest.NewVault(t)
	effectstest.Residents(t, other)
	for _, kind := range []receipt.Kind{receipt.Receipt, receipt.PackingSlip} {
		asked := receipt.Asked{Kind: kind, OrderID: "o1"}
		made := get(t, s, asked)
		if !bytes.Equal(made.PDF, get(t, service(w, other), asked).PDF) {
			t.Errorf("the %s is not the same when it is made again", kind)
		}
		if !bytes.Equal(made.PDF, get(t, renamed, asked).PDF) {
			t.Errorf("the %s is not the one that was kept", kind)
		}
		asked.OrderID = "o4"
		if bytes.Equal(get(t, service(w, other), asked).PDF, get(t, renamed, asked).PDF) {
			t.Errorf("the %s of another order is not made from the settings: the test proves nothing", kind)
		}
	}
}

func TestErasingTakesTheDocumentsAlong(t *testing.T) {
	t.Parallel()
	w, _ := effectstest.NewHistory(t)
	s, asked := service(w, w.Vault), receipt.Asked{Kind: receipt.Receipt, OrderID: "o1"}
	before := get(t, s, asked)
	if _, _, err := w.Vault.Retire(t.Context(), "ada", effectstest.Noon()); err != nil {
		t.Fatal(err)
	}
	other := receipt.Asked{Kind: receipt.PackingSlip, OrderID: "o1"}
	if text := written(t, get(t, s, other).PDF); !strings.Contains(text, "Ada") {
		t.Errorf("while the data is about to be erased: %s", text)
	}
	if err := w.Vault.Erase(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	for _, asked := range []receipt.Asked{asked, other} {
		after := get(t, s, asked)
		if text := written(t, after.PDF); strings.Contains(text, "Ada") || strings.Contains(text, "Leeds\n") || !strings.Contains(text, "[erased]") {
			t.Errorf("erased: %s", text)
		}
		if !bytes.Equal(after.PDF, get(t, s, asked).PDF) || bytes.Equal(after.PDF, before.PDF) {
			t.Error("what is left is not the same each time")
		}
	}
}

func TestHoweverEventsComeTheDocumentsAreThose(t *testing.T) {
	t.Parallel()
	w, events := effectstest.NewHistory(t)
	effectstest.OneEffect(t, events, func(t *testing.T) effectstest.Outside {
		t.Helper()
		v := effectstest.NewVault(t)
		effectstest.Residents(t, v)
		return effectstest.Outside{Handle: service(w, v).Handle, Effect: func() any {
			all := map[string]string{}
			for _, subject := range []string{"ada", "order:o2", "bob"} {
				entries, err := v.Of(t.Context(), subject)
				if err != nil {
					t.Fatal(err)
				}
				for _, entry := range entries {
					all[entry.Ref] = string(entry.Data)
				}
			}
			return all
		}}
	})
}

func TestALongOrderHasPagesAndOddTextDoesNoHarm(t *testing.T) {
	t.Parallel()
	w := effectstest.NewTown(t)
	placed := effectstest.Placed("o9", "100009", "zoë")
	eur := func(n int64) domain.Money { return domain.Money{Amount: n, Currency: "EUR"} }
	placed.Lines = nil
	titles := []string{"Ångström Łódź Ελλάδα Київ", "brackets ( ) \\ and \n line ends", "杯子 🎁 " + strings.Repeat("ẞ", 300), strings.Repeat("long words of a title ", 20), ""}
	for i := range 90 {
		placed.Lines = append(placed.Lines, order.Line{
			LineID: fmt.Sprint(i), SKU: fmt.Sprint("SKU-", i), Title: titles[i%len(titles)], Quantity: i + 1, UnitPrice: eur(100), Discount: eur(0), Tax: eur(0), Total: eur(int64(i+1) * 1_234_567_890_100),
		})
	}
	effectstest.Keep(t, w.Vault, "zoë", "contact-o9", vault.Contact{Email: "z@example.com", Name: "Zoë Ελένη Дмитро", Language: "de"})
	effectstest.Keep(t, w.Vault, "zoë", "ship-o9", vault.Address{Line1: "Straße des 17. Juni 135a, Hinterhaus, 4. Stock, bei Löwenstein", City: "Łódź", Country: "PL"})
	w.Record("order-o9", placed)
	d := get(t, service(w, w.Vault), receipt.Asked{Kind: receipt.Receipt, OrderID: "o9"})
	text := written(t, d.PDF)
	for _, want := range []string{"Zoë Ελένη Дмитро", "Straße des 17. Juni 135a", "bei Löwenstein", "Ångström Łódź", "Ελλάδα", "( ) \\", "?? ?", "Seite 4", "SKU-89", "1.111.111.101.090,00"} {
		if !strings.Contains(text, want) {
			t.Errorf("does not say %q", want)
		}
	}
	if n := strings.Count(text, "Artikelnr."); n < 4 {
		t.Errorf("the head of the table is there %d times", n)
	}
}

func TestTaxIsGroupedByRate(t *testing.T) {
	t.Parallel()
	eur := func(n int64) domain.Money { return domain.Money{Amount: n, Currency: "EUR"} }
	for name, row := range map[string]struct {
		lines [][2]int64 // net and tax
		ship  [2]int64
		says  []string
	}{
		"one rate, rounded":      {[][2]int64{{1000, 190}, {37, 7}, {3, 1}}, [2]int64{}, []string{"Tax 19 % (net 10.40 EUR)"}},
		"two rates and shipping": {[][2]int64{{1000, 70}, {1000, 190}}, [2]int64{500, 95}, []string{"Tax 19 % (net 15.00 EUR)", "Tax 7 % (net 10.00 EUR)"}},
		"a broken rate":          {[][2]int64{{100000, 5500}, {100000, 8875}}, [2]int64{}, []string{"Tax 8.88 % (net 1,000.00 EUR)", "Tax 5.5 % (net 1,000.00 EUR)"}},
		"some untaxed":           {[][2]int64{{1000, 200}, {500, 0}}, [2]int64{}, []string{"Tax 20 % (net 10.00 EUR)", "Tax 0 % (net 5.00 EUR)"}},
	} {
		w := effectstest.NewTown(t)
		placed := effectstest.Placed("o", "1", "x")
		placed.Lines, placed.ContactRef, placed.ShipToRef = nil, "", ""
		placed.Shipping = order.Shipping{Price: eur(row.ship[0]), Tax: eur(row.ship[1])}
		for i, l := range row.lines {
			placed.Lines = append(placed.Lines, order.Line{LineID: fmt.Sprint(i), SKU: "S", Title: "T", Quantity: 1, UnitPrice: eur(l[0]), Discount: eur(0), Tax: eur(l[1]), Total: eur(l[0] + l[1])})
		}
		w.Record("order-o", placed)
		text := written(t, get(t, service(w, w.Vault), receipt.Asked{Kind: receipt.Receipt, OrderID: "o"}).PDF)
		for _, want := range row.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q:\n%s", name, want, text)
			}
		}
	}
}

func BenchmarkReceipt(b *testing.B) {
	w, _ := effectstest.NewHistory(b)
	s := service(w, w.Vault)
	for b.Loop() {
		if _, err := s.Get(b.Context(), receipt.Asked{Kind: receipt.Receipt, OrderID: "o1", Anonymous: true}); err != nil {
			b.Fatal(err)
		}
	}
}
