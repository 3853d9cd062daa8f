package email

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strconv"
	"strings"
	"sync"
	"text/template"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/gateways/smtp"
	"github.com/waybill-dev/waybill/handlers/effects/shop"
)

//go:embed templates
var files embed.FS

// Letter is what a mail is written from.
type Letter struct {
	Template Template
	Order    order.State // right after the event
	Buyer    shop.Buyer
	Shipment order.OrderShipped // of [Shipped]
	Amount   domain.Money       // given back, of [Refunded] and [Cancelled]
	Reason   string             // of [PaymentProblem]: the code of a rule
}

// words are the texts of a language: one file of definitions.
type words struct{ *template.Template }

type layouts struct {
	words map[shop.Language]words
	text  *template.Template
	html  *htmltemplate.Template
}

var parsed = sync.OnceValues(func() (layouts, error) {
	l := layouts{words: map[shop.Language]words{}}
	var err error
	if l.text, err = template.ParseFS(files, "templates/layout.txt"); err != nil {
		return l, err
	}
	if l.html, err = htmltemplate.ParseFS(files, "templates/layout.html"); err != nil {
		return l, err
	}
	for _, language := range shop.Languages() {
		t, err := template.New("").Option("missingkey=error").ParseFS(files, "templates/"+string(language)+".tmpl")
		if err != nil {
			return l, err
		}
		l.words[language] = words{t}
	}
	return l, nil
})

// row is one line of the list of goods.
type row struct{ Title, SKU, Quantity, Total string }

// fact is one line below.
type fact struct {
	Name   string
	Value  string
	Lines  []string // instead of a value
	Strong bool
}

// page is what the layouts show.
type page struct {
	Language                   shop.Language
	Subject, Title, Greeting   string
	Paragraphs                 []string
	ItemWord, QuantityWord     string
	TotalWord                  string
	Rows                       []row
	Facts                      []fact
	Link, LinkWord             string
	Shop, Email, URL, Question string
	Address                    string
}

// Write writes a mail but for its id and date.
func (c Config) Write(l Letter) (smtp.Mail, error) {
	layouts, err := parsed()
	if err != nil {
		return smtp.Mail{}, fmt.Errorf("read the templates: %w", err)
	}
	p, err := c.page(layouts.words[l.Buyer.Language], l)
	if err != nil {
		return smtp.Mail{}, err
	}
	var text, html bytes.Buffer
	if err := layouts.text.Execute(&text, p); err != nil {
		return smtp.Mail{}, fmt.Errorf("write the text of %s: %w", l.Template, err)
	}
	if err := layouts.html.Execute(&html, p); err != nil {
		return smtp.Mail{}, fmt.Errorf("write the HTML of %s: %w", l.Template, err)
	}
	return smtp.Mail{
		From: smtp.Address{Name: c.Shop.Name, Email: c.From}, To: smtp.Address{Name: l.Buyer.Name, Email: l.Buyer.Email}, ReplyTo: c.Shop.Email,
		Subject: p.Subject, Text: text.String(), HTML: html.String(), Language: string(l.Buyer.Language), Generated: true,
	}, nil
}

func (c Config) page(w words, l Letter) (page, error) {
	language := l.Buyer.Language
	var failed error
	say := func(name string) string {
		var out strings.Builder
		err := w.ExecuteTemplate(&out, name, map[string]any{
			"Number": l.Order.Number, "Shop": c.Shop.Name, "Name": l.Buyer.Name, "Amount": language.Money(l.Amount), "Given": l.Amount.Amount > 0,
			"Date": language.Date(l.Order.PlacedAt), "Whole": l.Order.Status == order.StatusCancelled && len(l.Order.Shipments) == 0,
			"Carrier": l.Shipment.Carrier, "Tracking": l.Shipment.Tracking,
		})
		if err != nil && failed == nil {
			failed = fmt.Errorf("write %s in %s: %w", name, language, err)
		}
		return strings.TrimSpace(out.String())
	}
	about := string(l.Template)
	p := page{
		Language: language, Subject: say(about + ".subject"), Title: say(about + ".title"), Greeting: say("greeting"),
		ItemWord: say("item"), QuantityWord: say("quantity"), TotalWord: say("amount"),
		Shop: c.Shop.Name, Email: c.Shop.Email, URL: c.Shop.URL, Question: say("question"), Address: strings.Join(c.Shop.Address, " · "),
	}
	for paragraph := range strings.SplitSeq(say(about+".body"), "\n\n") {
		p.Paragraphs = append(p.Paragraphs, strings.Join(strings.Fields(paragraph), " "))
	}
	if l.Template != PaymentProblem {
		p.Link, p.LinkWord = c.Shop.Link(l.Order), say("link")
	}
	p.Rows, p.Facts = rows(l), facts(l, say)
	return p, failed
}

// rows are the goods that the mail is about.
func rows(l Letter) []row {
	var all []row
	add := func(line order.Line, quantity int, total string) {
		all = append(all, row{line.Title, line.SKU, strconv.Itoa(quantity), total})
	}
	switch l.Template {
	case Placed, PaymentProblem:
		for _, line := range l.Order.Lines {
			// Without discounts and tax, as the subtotal below has it.
			price := domain.Money{Amount: line.UnitPrice.Amount * int64(line.Quantity), Currency: line.UnitPrice.Currency}
			add(line, line.Quantity, l.Buyer.Language.Money(price))
		}
	case Shipped:
		for _, units := range l.Shipment.Lines {
			if line, ok := l.Order.Line(units.LineID); ok {
				add(line, units.Quantity, "")
			}
		}
	case Cancelled:
		for _, units := range l.Order.Cancelled.Lines {
			if line, ok := l.Order.Line(units.LineID); ok {
				add(line, units.Quantity, "")
			}
		}
	case Refunded:
	}
	return all
}

func facts(l Letter, say func(string) string) []fact {
	money, totals := l.Buyer.Language.Money, l.Order.Totals
	var all []fact
	switch l.Template {
	case Placed, PaymentProblem:
		all = append(all, fact{Name: say("subtotal"), Value: money(totals.Subtotal)})
		for _, f := range []struct {
			name   string
			amount domain.Money
			sign   int64
		}{{"discount", totals.Discount, -1}, {"shipping", totals.Shipping, 1}, {"tax", totals.Tax, 1}} {
			if f.amount.Amount != 0 {
				all = append(all, fact{Name: say(f.name), Value: money(domain.Money{Amount: f.sign * f.amount.Amount, Currency: f.amount.Currency})})
			}
		}
		all = append(all, fact{Name: say("total"), Value: money(totals.Grand), Strong: true})
	case Shipped:
		for _, f := range []fact{{Name: say("carrier"), Value: l.Shipment.Carrier}, {Name: say("tracking"), Value: l.Shipment.Tracking, Strong: true}} {
			if f.Value != "" {
				all = append(all, f)
			}
		}
	case Cancelled, Refunded:
		if l.Amount.Amount > 0 {
			all = append(all, fact{Name: say("refund"), Value: money(l.Amount), Strong: true})
		}
	}
	if address := shop.Lines(l.Buyer.ShipTo, l.Buyer.Name); len(address) > 0 && (l.Template == Placed || l.Template == Shipped) {
		all = append(all, fact{Name: say("ship-to"), Lines: address})
	}
	return all
}
