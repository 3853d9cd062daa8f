package email_test

import (
	"context"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/smtp"
	"github.com/waybill-dev/waybill/gateways/smtp/smtptest"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/effectstest"
	"github.com/waybill-dev/waybill/handlers/effects/email"
	"github.com/waybill-dev/waybill/handlers/effects/inbox"
	"github.com/waybill-dev/waybill/handlers/effects/shop"
	"github.com/waybill-dev/waybill/vault"
)

var update = flag.Bool("update", false, "write the golden mails")

func config() email.Config {
	return email.Config{Shop: effectstest.Shop(), From: "orders@mugs.example"}
}

type bench struct {
	*email.Service

	server *smtptest.Server
}

func newBench(t *testing.T, w *effectstest.Town) *bench {
	t.Helper()
	server := smtptest.New(t, nil)
	db, err := database.Open(t.Context(), database.Config{Path: filepath.Join(t.TempDir(), "effects.db"), Migrations: inbox.Migrations()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &bench{server: server, Service: &email.Service{
		Store: w.Store, People: w.Vault, Config: config(), Inbox: &inbox.Inbox{DB: db, Handler: email.Name, Now: time.Now},
		Mailer: smtp.New(smtp.Config{Host: server.Host(), Port: server.Port(), Roots: server.Roots, Hello: "mugs.example"}),
	}}
}

func (b *bench) deliver(t *testing.T, events []eventstore.Recorded) (failed []error) {
	t.Helper()
	for _, e := range events {
		if err := b.Handle(t.Context(), e); err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}

// subjects counts what arrived, by receiver and subject.
func (b *bench) subjects() map[string]int {
	all := map[string]int{}
	for _, m := range b.server.Sent() {
		all[m.To[0]+" "+m.Header("Subject")]++
	}
	return all
}

func TestEachEventIsWrittenAboutOnce(t *testing.T) {
	t.Parallel()
	w, events := effectstest.NewHistory(t)
	b := newBench(t, w)
	for range 2 {
		if failed := b.deliver(t, events); failed != nil {
			t.Fatal(failed)
		}
	}
	// Nothing to Bob, whose order came from elsewhere, to Eve, who was erased,
	// and about k2, whose shopper was told at once.
	want := map[string]int{
		"ada@example.com Your order 100001 at Mugs & Bowls": 1, "ada@example.com Your order 100001 is on its way": 1, "ada@example.com Refund for your order 100001": 1,
		"jürgen@example.com Ihre Bestellung 100002 bei Mugs & Bowls": 1, "jürgen@example.com Ihre Bestellung 100002 wurde storniert": 1,
		"ada@example.com Your order 100003 at Mugs & Bowls": 1, "ada@example.com Your order 100003 is on its way": 2,
		"ada@example.com Your order at Mugs & Bowls could not be placed": 1,
	}
	if diff := cmp.Diff(want, b.subjects()); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
	ids := map[string]bool{}
	for _, m := range b.server.Sent() {
		ids[m.Header("Message-ID")] = true
	}
	if len(ids) != 9 {
		t.Errorf("%d different ids: %v", len(ids), slices.Collect(maps.Keys(ids)))
	}
}

func TestHoweverEventsComeTheMailsAreThose(t *testing.T) {
	t.Parallel()
	w, events := effectstest.NewHistory(t)
	effectstest.OneEffect(t, events, func(t *testing.T) effectstest.Outside {
		t.Helper()
		b := newBench(t, w)
		return effectstest.Outside{Handle: b.Handle, Effect: func() any {
			var all []string
			for _, m := range b.server.Sent() {
				all = append(all, m.To[0]+"\n"+m.Data)
			}
			slices.Sort(all)
			return all
		}}
	})
}

func TestAServerThatIsAwayOnlyDelaysMails(t *testing.T) {
	t.Parallel()
	w, events := effectstest.NewHistory(t)
	b, well := newBench(t, w), newBench(t, w)
	b.server.Refuse("MAIL", 421)
	failed := b.deliver(t, events)
	if len(failed) != 9 || slices.ContainsFunc(failed, effects.IsPermanent) {
		t.Fatalf("away: %v", failed)
	}
	b.server.Refuse("MAIL", 0)
	if failed := b.deliver(t, events); failed != nil {
		t.Fatal(failed)
	}
	if failed := well.deliver(t, events); failed != nil {
		t.Fatal(failed)
	}
	if diff := cmp.Diff(well.subjects(), b.subjects()); diff != "" {
		t.Errorf("(-if it had been there +got):\n%s", diff)
	}
}

func TestAMailThatIsRefusedIsPutAside(t *testing.T) {
	t.Parallel()
	w, events := effectstest.NewHistory(t)
	b := newBench(t, w)
	b.server.Refuse("RCPT", 550)
	placed := effectstest.Of(events, "OrderPlaced")[:1]
	if failed := b.deliver(t, placed); len(failed) != 1 || !effects.IsPermanent(failed[0]) || !errors.Is(failed[0], smtp.ErrRefused) || strings.Contains(failed[0].Error(), "ada@") {
		t.Fatalf("refused: %v", failed)
	}
	b.server.Refuse("RCPT", 0) // the address was mended, and the event is given once more
	if failed := b.deliver(t, placed); failed != nil || len(b.server.Sent()) != 1 {
		t.Errorf("mended: %v, %d sent", failed, len(b.server.Sent()))
	}
}

// forgetful erases a person after their mail was taken in hand.
type forgetful struct {
	*vault.Vault

	subject string
}

func (f forgetful) Get(ctx context.Context, ref string, into any) error {
	if err := f.Erase(ctx, f.subject); err != nil {
		return err
	}
	return f.Vault.Get(ctx, ref, into)
}

func TestNobodyIsWrittenToAfterBeingErased(t *testing.T) {
	t.Parallel()
	w, events := effectstest.NewHistory(t)
	b := newBench(t, w)
	b.People = forgetful{w.Vault, "ada"}
	if failed := b.deliver(t, events); failed != nil {
		t.Fatal(failed)
	}
	for subject := range b.subjects() {
		if !strings.HasPrefix(subject, "jürgen@") {
			t.Errorf("written: %s", subject)
		}
	}
}

func TestMailsAreRendered(t *testing.T) {
	t.Parallel()
	eur := func(n int64) domain.Money { return domain.Money{Amount: n, Currency: "EUR"} }
	units := []order.Units{{LineID: "1", Quantity: 2}, {LineID: "2", Quantity: 1}}
	placed := order.Decider.Fold(order.State{}, effectstest.Placed("o1", "100001", "ada"))
	placed.Lines[0].Title = `Mug <b>"blue" & tall</b>`
	cancelled := placed
	cancelled.Status, cancelled.Cancelled = order.StatusCancelled, order.OrderCancelled{Lines: units}
	for _, language := range shop.Languages() {
		buyer := shop.Buyer{Email: "ada@example.com", Name: "Ada <Lovelace>", Language: language, ShipTo: &vault.Address{Line1: "1 High Street", City: "Leeds", PostalCode: "LS1 1UR", Country: "GB"}}
		for _, template := range email.Templates() {
			l := email.Letter{Template: template, Order: placed, Buyer: buyer, Amount: eur(1250), Reason: "payment-unresolved"}
			switch template {
			case email.Shipped:
				l.Shipment = order.OrderShipped{ShipmentID: "s", Lines: units, Carrier: "DHL", Tracking: "00340434161094042557"}
			case email.Cancelled:
				l.Order = cancelled
			case email.Placed, email.Refunded, email.PaymentProblem:
			}
			m, err := config().Write(l)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join("testdata", string(template)+"."+string(language))
			golden(t, name+".txt", "Subject: "+m.Subject+"\n\n"+m.Text)
			golden(t, name+".html", m.HTML)
			m.ID, m.Date = "id@mugs.example", effectstest.Noon()
			one, err := m.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := m.Bytes(); err != nil || string(one) != string(again) {
				t.Errorf("%s is not the same twice: %v", name, err)
			}
		}
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
