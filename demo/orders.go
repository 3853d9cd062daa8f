package demo

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/waybill-dev/waybill/client"
)

var products = []client.Product{
	{SKU: "DEMO-MUG", Title: "Mug, blue", Prices: []client.Money{{Amount: 1250, Currency: "EUR"}}},
	{SKU: "DEMO-POT", Title: "Teapot", Prices: []client.Money{{Amount: 3900, Currency: "EUR"}}},
	{SKU: "DEMO-TEA", Title: "Darjeeling, 250 g", Prices: []client.Money{{Amount: 1490, Currency: "EUR"}}},
}

// Orders registers the demo products, receives stock, and places orders. All
// of it has keys of its own: a second time adds nothing.
func Orders(ctx context.Context, api *client.Client, count int, out io.Writer) error {
	receipt := client.Receipt{Ref: "demo"}
	for _, product := range products {
		if err := api.CreateProduct(ctx, product); err != nil {
			return fmt.Errorf("register the demo products: %w", err)
		}
		receipt.Lines = append(receipt.Lines, client.ReceiptLine{SKU: product.SKU, Quantity: 1000})
	}
	if err := api.ReceiveStock(ctx, "main", receipt); err != nil {
		return fmt.Errorf("receive the demo stock: %w", err)
	}
	for n := 1; n <= count; n++ {
		placed, err := api.PlaceOrder(ctx, fmt.Sprintf("demo-%d", n), order(n))
		var problem *client.Problem
		if err != nil && !errors.As(err, &problem) {
			return fmt.Errorf("place demo order %d: %w", n, err)
		}
		fmt.Fprintf(out, "order %d: %s\n", n, outcome(placed, problem))
	}
	return nil
}

func order(n int) client.PlaceOrder {
	return client.PlaceOrder{
		Customer: &client.Customer{Email: "ada@example.com", Name: "Ada"}, Currency: "EUR",
		Lines: []client.OrderLine{
			{SKU: products[n%len(products)].SKU, Quantity: 1 + n%3},
			{SKU: products[(n+1)%len(products)].SKU, Quantity: 1},
		},
		Payment: client.Payment{Method: "sandbox:approved"},
	}
}

func outcome(placed client.Placed, problem *client.Problem) string {
	switch {
	case problem != nil:
		return problem.Error()
	case placed.CheckoutURL != "":
		return "payment not known yet, see " + placed.CheckoutURL
	case placed.Replayed:
		return fmt.Sprintf("number %s, placed by an earlier run", placed.Number)
	}
	return fmt.Sprintf("number %s, %s", placed.Number, placed.Status)
}
