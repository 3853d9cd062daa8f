package api

import "net/http"

// ruleKinds are the types of problem that a rule of the domain makes: the slug
// is the rule's code.
func ruleKinds() []kind {
	return []kind{
		{slug: "product-invalid", status: http.StatusUnprocessableEntity, title: "Product not valid",
			about: "errors lists everything that is wrong with the product."},
		{slug: "product-exists", status: http.StatusConflict, title: "SKU taken by another product",
			about: "A product is registered under this SKU with other content. Registering the same content again would be harmless."},
		{slug: "unknown-sku", status: http.StatusNotFound, title: "Unknown SKU",
			about: "No product is registered under this SKU."},
		{slug: "currency-mismatch", status: http.StatusUnprocessableEntity, title: "Different currencies",
			about: "Everything in one order or credit note is in one currency."},
		{slug: "amount-overflow", status: http.StatusUnprocessableEntity, title: "Amount too large",
			about: "A sum is larger than 9,223,372,036,854,775,807 minor units."},
		{slug: "api-key-invalid", status: http.StatusUnprocessableEntity, title: "API key not valid",
			about: "errors lists everything that is wrong with the key as it was described."},
		{slug: "api-key-not-found", status: http.StatusNotFound, title: "No such API key",
			about: "No API key has this id."},
		{slug: "id-reused", status: http.StatusConflict, title: "Id used for something else",
			about: "The id was used before, with other content. Repeating the same content would be harmless."},
		{slug: "endpoint-not-found", status: http.StatusNotFound, title: "No such endpoint",
			about: "No webhook endpoint has this id, or it was deleted."},
		{slug: "endpoint-exists", status: http.StatusConflict, title: "Endpoint exists",
			about: "An endpoint with this id exists and is another one."},
		{slug: "invalid-endpoint", status: http.StatusUnprocessableEntity, title: "Endpoint not valid",
			about: "errors lists everything that is wrong with the endpoint as it was described."},
		{slug: "endpoint-disabled", status: http.StatusConflict, title: "Endpoint disabled",
			about: "The endpoint is disabled and takes no messages. Enable it first."},
	}
}
