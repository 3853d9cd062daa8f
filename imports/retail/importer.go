package retail

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/client"
)

// Importer sends invoices to an installation.
type Importer struct {
	API      *client.Client
	Location string // where the goods are received and sold from
	Workers  int    // requests under way at once
	// Patience is how long one request is repeated while the installation is
	// away or still busy with it.
	Patience time.Duration
	// Returns ships every order and returns to the orders what cancelled
	// invoices take back of them. Without it orders stay as they are placed,
	// and cancelled invoices are credit notes.
	Returns bool
	// Advance is told the stage and how many of its steps are done; may be nil.
	Advance func(stage string, done, of int)
	// Placed is told every order that was acknowledged; may be nil, and is
	// called by several goroutines.
	Placed func(invoice string, order client.Order)

	orders placed
}

// Run imports every invoice and accounts for each one. It stops at the first
// failure that waiting does not cure; running it again goes on where it
// stopped, because every request carries a key made from the invoice number.
func (i *Importer) Run(ctx context.Context, invoices []Invoice) (Report, error) {
	plans := Plans(invoices, i.Returns)
	report := newReport(invoices)
	products := productsOf(invoices, plans)
	err := i.each(ctx, "products", len(products), func(ctx context.Context, n int) error {
		return i.register(ctx, products[n])
	})
	if err != nil {
		return *report, err
	}
	report.Products = len(products)
	var mu sync.Mutex
	err = i.each(ctx, "invoices", len(plans), func(ctx context.Context, n int) error {
		outcome, err := i.send(ctx, plans[n])
		if err != nil {
			return fmt.Errorf("invoice %s: %w", plans[n].Invoice, err)
		}
		mu.Lock()
		defer mu.Unlock()
		report.add(plans[n], outcome)
		return nil
	})
	if err == nil && i.Returns {
		err = i.sendReturns(ctx, plans, report)
	}
	return *report, err
}

// Expected is the report of an import of which nothing is refused and nothing
// is there already.
func Expected(invoices []Invoice, returns bool) Report {
	plans := Plans(invoices, returns)
	report := newReport(invoices)
	report.Products = len(productsOf(invoices, plans))
	for _, plan := range plans {
		report.add(plan, outcome{})
		for _, back := range plan.Returns {
			report.addReturn(back, true, nil)
			report.Refunded += back.Pence
		}
	}
	return *report
}

// Plans decides what each invoice becomes, and with returns which orders
// cancelled ones go back to.
func Plans(invoices []Invoice, returns bool) []Plan {
	plans := make([]Plan, len(invoices))
	for n, invoice := range invoices {
		plans[n] = PlanOf(invoice)
	}
	if returns {
		matchReturns(invoices, plans)
	}
	return plans
}

func (i *Importer) each(ctx context.Context, stage string, count int, step func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(i.Workers)
	var mu sync.Mutex
	done := 0
	for n := range count {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			if err := step(ctx, n); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			done++
			if i.Advance != nil {
				i.Advance(stage, done, count)
			}
			return nil
		})
	}
	return group.Wait()
}

func productsOf(invoices []Invoice, plans []Plan) []client.Product {
	var products []client.Product
	seen := map[string]bool{}
	for n, invoice := range invoices {
		if plans[n].Kind != KindOrder {
			continue
		}
		for _, line := range invoice.Lines {
			sku := SKU(line.StockCode)
			if seen[sku] || fault(line, KindOrder) != "" {
				continue
			}
			seen[sku] = true
			products = append(products, client.Product{
				SKU: sku, Title: title(line),
				Prices: []client.Money{{Amount: line.Price.Pence, Currency: currency}},
			})
		}
	}
	return products
}

// register keeps a product that another run or file registered otherwise: the
// order lines carry their own prices.
func (i *Importer) register(ctx context.Context, product client.Product) error {
	return i.patiently(ctx, func() error {
		err := i.API.CreateProduct(ctx, product)
		var problem *client.Problem
		if errors.As(err, &problem) && problem.Status == http.StatusConflict {
			return nil
		}
		return err
	})
}

// outcome is what the installation made of one plan.
type outcome struct {
	replayed bool
	refusal  *client.Problem
}

func (i *Importer) send(ctx context.Context, plan Plan) (outcome, error) {
	var result outcome
	err := i.patiently(ctx, func() (err error) {
		switch plan.Kind {
		case KindOrder:
			result.replayed, err = i.place(ctx, plan)
		case KindCreditNote:
			result.replayed, err = i.API.RecordCreditNote(ctx, key(plan), plan.CreditNote)
		case KindRejected, KindReturn: // the returns follow when every order is there
		}
		return err
	})
	result.refusal, err = refused(err)
	return result, err
}

// errPending says that the payment's outcome is not known yet.
var errPending = errors.New("the payment's outcome is still unknown")

// place receives what the invoice sold and places the order. Goods and order
// are named after the invoice, so that a second run adds neither.
func (i *Importer) place(ctx context.Context, plan Plan) (replayed bool, err error) {
	receipt := client.Receipt{Ref: key(plan)}
	units := map[string]int{}
	for _, line := range plan.Order.Lines {
		if units[line.SKU] == 0 {
			receipt.Lines = append(receipt.Lines, client.ReceiptLine{SKU: line.SKU})
		}
		units[line.SKU] += line.Quantity
	}
	for n := range receipt.Lines {
		receipt.Lines[n].Quantity = units[receipt.Lines[n].SKU]
	}
	if err := i.API.ReceiveStock(ctx, i.Location, receipt); err != nil {
		return false, err
	}
	placed, err := i.API.PlaceOrder(ctx, key(plan), plan.Order)
	if err == nil && placed.CheckoutURL != "" {
		return false, errPending
	}
	if err != nil {
		return false, err
	}
	if i.Placed != nil {
		i.Placed(plan.Invoice, placed.Order)
	}
	i.orders.set(plan.Invoice, placed.ID)
	if i.Returns {
		err = i.ship(ctx, placed.ID, plan.Invoice)
	}
	return placed.Replayed, err
}

func key(plan Plan) string { return source + ":" + plan.Invoice }

// patiently repeats a request while the installation is away or busy with it.
func (i *Importer) patiently(ctx context.Context, request func() error) error {
	deadline, cancel := context.WithTimeout(ctx, i.Patience)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := request()
		if err == nil || !temporary(err) {
			return err
		}
		select {
		case <-deadline.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func temporary(err error) bool {
	if problem, ok := errors.AsType[*client.Problem](err); ok {
		return problem.Temporary()
	}
	return !errors.Is(err, context.Canceled)
}
