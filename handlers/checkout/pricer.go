package checkout

import (
	"cmp"
	"context"

	domaincatalog "github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/eventstore"
)

// Products knows what is registered. An unknown product is the zero state.
type Products interface {
	Product(ctx context.Context, sku string) (domaincatalog.State, eventstore.Revision, error)
}

// Prices is the [Pricer] that takes prices from the catalogue.
type Prices struct{ Products Products }

// Price implements [Pricer]. Where a product has a price for the country that
// the order goes to, that is the price.
func (p Prices) Price(ctx context.Context, cart checkout.Request) (Priced, error) {
	offers := map[string]checkout.Offer{}
	if len(cart.Lines) <= checkout.MaxLines { // else the cart is refused whatever it holds
		for _, line := range cart.Lines {
			if _, there := offers[line.SKU]; there {
				continue
			}
			product, _, err := p.Products.Product(ctx, line.SKU)
			if err != nil {
				return Priced{}, err
			}
			if product.Known() {
				price, _ := product.Price(cart.Currency, cmp.Or(cart.Region, cart.ShipToCountry))
				offers[line.SKU] = checkout.Offer{Title: product.Title, Withdrawn: product.Withdrawn, Price: price}
			}
		}
	}
	lines, totals, err := checkout.Price(cart, offers)
	return Priced{lines, totals}, err
}
