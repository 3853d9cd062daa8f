package configs

import (
	"net/mail"
	"net/url"
	"slices"
	"strings"
)

// Shop is who sells: what customers read on documents and in mails.
type Shop struct {
	Name     string   `name:"name" env:"NAME" default:"Waybill" help:"Name of the shop, on documents and in mails."`
	Address  []string `name:"address" env:"ADDRESS" sep:";" help:"Lines of the shop's address on documents, with ; between them."`
	TaxID    string   `name:"tax-id" env:"TAX_ID" help:"Tax number of the shop, printed on receipts."`
	Email    string   `name:"email" env:"EMAIL" help:"Where customers ask questions."`
	URL      string   `name:"url" env:"URL" default:"http://127.0.0.1:8080" help:"Where the shop is on the web: links and QR codes begin with it."`
	OrderURL string   `name:"order-url" env:"ORDER_URL" help:"Where a customer sees an order, with {id} or {number} in place of the order's; empty is /v1/orders/{id} below the shop's URL."`
	Language string   `name:"language" env:"LANGUAGE" default:"en" enum:"en,de" help:"Language of documents and mails where neither customer nor country says another: en, de."`
	German   []string `name:"german" env:"GERMAN" default:"AT,CH,DE,LI" help:"Countries (ISO 3166) whose customers are written to in German, unless they asked for another language."`
	Font     string   `name:"font" env:"FONT" type:"path" help:"TrueType file that documents are written with; empty is DejaVu Sans, which has no Chinese, Japanese or Korean."`
	BoldFont string   `name:"bold-font" env:"BOLD_FONT" type:"path" help:"Its bold companion; empty is font again."`
}

func (s Shop) validate(bad complaint) {
	for name, address := range map[string]string{"shop-url": s.URL, "shop-order-url": s.OrderURL} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || !slices.Contains([]string{"http", "https"}, u.Scheme)) {
			bad(name, "%q is not a URL; write https://shop.example", address)
		}
	}
	if s.OrderURL != "" && !strings.Contains(s.OrderURL, "{id}") && !strings.Contains(s.OrderURL, "{number}") {
		bad("shop-order-url", "%q leads to the same page for every order; put {id} or {number} into it", s.OrderURL)
	}
	if a, err := mail.ParseAddress(s.Email); s.Email != "" && (err != nil || a.Address != s.Email) {
		bad("shop-email", "%q is not an e-mail address", s.Email)
	}
	for _, country := range s.German {
		if len(country) != 2 || strings.ToUpper(country) != country {
			bad("shop-german", "%q is not a country; write two capital letters, such as AT", country)
		}
	}
}
