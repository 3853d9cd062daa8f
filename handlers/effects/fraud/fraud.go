// Package fraud looks at every order that is placed, and holds those that look
// like fraud until a person has seen them. Rules come first: an amount, a
// country that does not match, too many orders of one customer in a short time;
// then a system of somebody else's, if there is one. It promises that an order
// is held at most once, whatever is repeated and in whichever order orders come
// to it; that a hold which was released is not made again; and that a verdict
// that comes too late to hold anything marks the order and does no more.
package fraud

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/fraud"
	"github.com/waybill-dev/waybill/gateways/remote"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/shop"
)

// Name is the handler's.
const Name = "fraud"

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are those of its tables.
func Migrations() fs.FS { return database.Embedded(migrations, "migrations") }

// LateTag marks an order that a verdict was too late for.
const LateTag = "fraud-suspected"

// Config are the rules. The zero value holds nothing.
type Config struct {
	// Amounts hold an order whose total reaches one of them: minor units by
	// currency.
	Amounts map[string]int64
	// Mismatch holds an order whose goods and bill go to different countries.
	Mismatch bool
	// Orders of one customer within Window are as many as are usual: one more
	// is held. 0 is any number.
	Orders int
	Window time.Duration // 0 is an hour
	// GiveUp is how long an outside system may take, from the order on. After
	// it Fallback decides. 0 is 5 min.
	GiveUp   time.Duration
	Fallback fraud.Decision // empty is review
}

// Checker is an outside system; [fraud.Client] is one.
type Checker interface {
	Check(ctx context.Context, key string, check fraud.Check) (fraud.Verdict, error)
}

// Service looks at orders. It may be used by many goroutines and processes.
type Service struct {
	Store   eventstore.Store
	People  shop.People
	DB      *database.DB
	Checker Checker // nil asks nobody
	Config  Config
	Now     func() time.Time
}

// Handle looks at an order: an [effects.Handler].
func (s *Service) Handle(ctx context.Context, r eventstore.Recorded) error {
	if r.Type != (order.OrderPlaced{}).EventName() {
		return nil
	}
	event, err := effects.Decode(r)
	if err != nil {
		return err
	}
	placed, ok := event.(order.OrderPlaced)
	if !ok || placed.External.Source != "" {
		return nil // it was decided elsewhere
	}
	suspects, recent, err := s.velocity(ctx, placed)
	if err != nil {
		return err
	}
	billTo, err := s.billTo(ctx, placed)
	if err != nil {
		return err
	}
	if s.tooMuch(placed) || s.Config.Mismatch && billTo != "" && placed.ShipToCountry != "" && billTo != placed.ShipToCountry {
		suspects = append(suspects, placed.OrderID)
	}
	for _, id := range suspects {
		if err := s.hold(ctx, r, id); err != nil {
			return err
		}
	}
	return s.ask(ctx, r, placed, billTo, recent)
}

func (s *Service) tooMuch(o order.OrderPlaced) bool {
	limit, limited := s.Config.Amounts[o.Currency]
	return limited && o.Totals.Grand.Amount >= limit
}

// billTo is the country of the bill. It is gone with the rest of the address.
func (s *Service) billTo(ctx context.Context, o order.OrderPlaced) (string, error) {
	if !s.Config.Mismatch && s.Checker == nil {
		return "", nil
	}
	buyer, err := shop.Config{}.Buyer(ctx, s.People, order.State{ContactRef: o.ContactRef, ShipToRef: o.ShipToRef, BillToRef: o.BillToRef})
	if err != nil || buyer.BillTo == nil {
		return "", err
	}
	return buyer.BillTo.Country, nil
}

// ask lets the outside system decide, if the order is not held already.
func (s *Service) ask(ctx context.Context, r eventstore.Recorded, o order.OrderPlaced, billTo string, recent int) error {
	if s.Checker == nil {
		return nil
	}
	decision, err := s.verdict(ctx, o.OrderID)
	if err != nil {
		return err
	}
	if decision == "" {
		if decision, err = s.decide(ctx, r, o, billTo, recent); err != nil {
			return err
		}
	}
	if decision != fraud.Review {
		return nil
	}
	return s.hold(ctx, r, o.OrderID)
}

// decide asks once. A system that does not answer is asked again, until it has
// taken so long that the order must not wait any more.
func (s *Service) decide(ctx context.Context, r eventstore.Recorded, o order.OrderPlaced, billTo string, recent int) (fraud.Decision, error) {
	check := fraud.Check{
		OrderID: o.OrderID, CustomerID: o.CustomerID, Total: o.Totals.Grand, ShipTo: o.ShipToCountry, BillTo: billTo, Channel: o.Channel,
		PlacedAt: o.PlacedAt.UTC().Format(time.RFC3339), Recent: recent,
	}
	for _, l := range o.Lines {
		check.Lines = append(check.Lines, fraud.Line{SKU: l.SKU, Quantity: l.Quantity, UnitPrice: l.UnitPrice})
	}
	verdict, err := s.Checker.Check(ctx, Name+":"+o.OrderID, check)
	source := "service"
	if err != nil {
		const patience = 5 * time.Minute
		giveUp := s.Config.GiveUp
		if giveUp == 0 {
			giveUp = patience
		}
		if !errors.Is(err, remote.ErrRefused) && s.Now().Sub(r.Created) < giveUp {
			return "", fmt.Errorf("ask about order %s: %w", o.OrderID, err)
		}
		source, verdict = "fallback", fraud.Verdict{Decision: s.Config.Fallback}
		if verdict.Decision == "" {
			verdict.Decision = fraud.Review
		}
	}
	_, err = s.DB.Write.ExecContext(ctx, `INSERT INTO fraud_verdicts (order_id, decision, source, reasons) VALUES (?, ?, ?, ?) ON CONFLICT (order_id) DO NOTHING`,
		o.OrderID, string(verdict.Decision), source, strings.Join(verdict.Reasons, ","))
	if err != nil {
		return "", fmt.Errorf("keep the verdict about order %s: %w", o.OrderID, err)
	}
	return s.verdict(ctx, o.OrderID) // another process may have been first
}

// hold stops an order. Where it is too late for that it is marked; where the
// order is over, nothing is left to do.
func (s *Service) hold(ctx context.Context, r eventstore.Recorded, id string) error {
	command := order.Command(order.Hold{HoldID: eventstore.DeriveID("fraud-hold", id), Reason: order.HoldFraud})
	err := s.do(ctx, r, id, "hold", command)
	if errors.Is(err, order.ErrTransition) {
		err = s.do(ctx, r, id, "late", order.Tag{Add: []string{LateTag}})
	}
	if err != nil {
		return fmt.Errorf("hold order %s: %w", id, err)
	}
	return nil
}

func (s *Service) do(ctx context.Context, r eventstore.Recorded, id, what string, command order.Command) error {
	handler := handlers.CommandHandler[order.State, order.Command, order.Event]{Store: s.Store, Decider: order.Decider}
	meta, err := r.Metadata()
	if err != nil {
		return effects.Permanent(err)
	}
	_, err = handler.Handle(ctx, id, eventstore.Metadata{
		CommandID: eventstore.DeriveID("fraud-"+what, id), CorrelationID: id, CausationID: r.ID.String(), TraceParent: meta.TraceParent,
		Actor: eventstore.Actor{Type: "process", ID: Name},
	}, command)
	return err
}
