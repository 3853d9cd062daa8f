package message

import (
	"time"

	"github.com/waybill-dev/waybill/domain/catalog"
)

func productKinds() []Kind {
	return []Kind{
		publish("product.registered", "product", productRegistered, Kind{
			Sent:    "Once, first of every product, when it is made known.",
			Promise: "There is at least one price, and at most one for a currency and region.",
		}),
		publish("product.price_changed", "product", productPriceChanged, Kind{
			Sent:    "When a price is set or replaced.",
			Promise: "The price before it for the same currency and region no longer holds. Orders keep theirs.",
		}),
		publish("product.title_changed", "product", productTitleChanged, Kind{
			Sent:    "When a product gets another title.",
			Promise: "Orders keep the title they were placed with.",
		}),
		publish("product.withdrawn", "product", productWithdrawn, Kind{
			Sent:    "When a product is not to be ordered any more.",
			Promise: "Orders that have it go on.",
		}),
		publish("product.relisted", "product", productRelisted, Kind{
			Sent:    "When a withdrawn product can be ordered again.",
			Promise: "It has the title and the prices it had, and what was changed meanwhile.",
		}),
	}
}

type productPrice struct {
	Amount   int64  `json:"amount" doc:"In minor units, such as cents." example:"1250"`
	Currency string `json:"currency" doc:"ISO 4217." example:"EUR"`
	Region   string `json:"region,omitempty" doc:"Where it holds; missing for everywhere else."`
}

type productRegisteredData struct {
	SKU          string         `json:"sku" example:"MUG-1"`
	Title        string         `json:"title"`
	Prices       []productPrice `json:"prices" nullable:"false"`
	RegisteredAt time.Time      `json:"registered_at"`
}

func productRegistered(e catalog.ProductRegistered) productRegisteredData {
	data := productRegisteredData{SKU: e.SKU, Title: e.Title, Prices: make([]productPrice, len(e.Prices)), RegisteredAt: e.RegisteredAt}
	for i, p := range e.Prices {
		data.Prices[i] = priceOf(p)
	}
	return data
}

func priceOf(p catalog.Price) productPrice {
	return productPrice{Amount: p.Amount, Currency: p.Currency, Region: p.Region}
}

type productPriceChangedData struct {
	SKU       string       `json:"sku" example:"MUG-1"`
	Price     productPrice `json:"price"`
	ChangedAt time.Time    `json:"changed_at"`
}

func productPriceChanged(e catalog.PriceChanged) productPriceChangedData {
	return productPriceChangedData{SKU: e.SKU, Price: priceOf(e.Price), ChangedAt: e.ChangedAt}
}

type productTitleChangedData struct {
	SKU       string    `json:"sku" example:"MUG-1"`
	Title     string    `json:"title"`
	ChangedAt time.Time `json:"changed_at"`
}

func productTitleChanged(e catalog.ProductTitleChanged) productTitleChangedData {
	return productTitleChangedData(e)
}

type productWithdrawnData struct {
	SKU         string    `json:"sku" example:"MUG-1"`
	WithdrawnAt time.Time `json:"withdrawn_at"`
}

func productWithdrawn(e catalog.ProductWithdrawn) productWithdrawnData {
	return productWithdrawnData(e)
}

type productRelistedData struct {
	SKU        string    `json:"sku" example:"MUG-1"`
	RelistedAt time.Time `json:"relisted_at"`
}

func productRelisted(e catalog.ProductRelisted) productRelistedData { return productRelistedData(e) }
