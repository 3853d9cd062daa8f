package checkout

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Limits of a cart.
const (
	MaxLines    = 2_000
	MaxQuantity = 9_999
	// MaxBytes bounds what the priced lines take in an event, so that an event
	// stays below the megabyte an event store takes.
	MaxBytes = 900_000
)

// Request is what the shopper asks for. There is no personal data in it: what
// ends in Ref is a key into the vault.
type Request struct {
	CustomerID string `json:"customer_id"`
	ContactRef string `json:"contact_ref,omitempty"`
	ShipToRef  string `json:"ship_to_ref,omitempty"`
	BillToRef  string `json:"bill_to_ref,omitempty"`
	Currency   string `json:"currency"`
	// Region chooses prices; empty is the country the goods go to.
	Region        string `json:"region,omitempty"`
	ShipToCountry string `json:"ship_to_country,omitempty"`
	// Lines are kept for a refused cart only: otherwise the priced lines say
	// the same.
	Lines  []RequestLine `json:"lines,omitempty"`
	Method string        `json:"payment_method"`
	// ReturnURL is where the shopper comes back to after confirming a payment.
	ReturnURL string   `json:"return_url,omitempty"`
	External  External `json:"external,omitzero"`
	// Channel is the sales channel; empty is the shop itself.
	Channel   string     `json:"channel,omitempty"`
	Shipping  Shipping   `json:"shipping,omitzero"`
	Discounts []Discount `json:"discounts,omitempty"`
}

// RequestLine is one line of a cart.
type RequestLine struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	// UnitPrice is the price agreed elsewhere for an order with External, and
	// otherwise the price the shopper saw, which must still hold.
	UnitPrice *domain.Money `json:"unit_price,omitempty"`
	// Discount and Tax are those of the whole line; nil is none.
	Discount *domain.Money `json:"discount,omitempty"`
	Tax      *domain.Money `json:"tax,omitempty"`
}

// External says where and when an order came about that did not start here.
type External struct {
	Source string    `json:"source"`
	Ref    string    `json:"ref"`
	Time   time.Time `json:"time"`
}

// Line is a line with its price.
type Line struct {
	LineID        string       `json:"line_id"`
	SKU           string       `json:"sku"`
	Title         string       `json:"title"`
	Quantity      int          `json:"quantity"`
	UnitPrice     domain.Money `json:"unit_price"`
	Discount      domain.Money `json:"discount"`
	Tax           domain.Money `json:"tax"`
	Total         domain.Money `json:"total"`
	Location      string       `json:"location"`
	ReservationID string       `json:"reservation_id"`
}

// Totals are the sums of a cart: Grand is subtotal less discount plus shipping
// plus tax.
type Totals struct {
	Subtotal domain.Money `json:"subtotal"`
	Discount domain.Money `json:"discount"`
	Shipping domain.Money `json:"shipping"`
	Tax      domain.Money `json:"tax"`
	Grand    domain.Money `json:"grand"`
}

// Offer is what a SKU costs in the cart's currency and region.
type Offer struct {
	Title string
	// Withdrawn products are not sold any more. Orders that came about elsewhere
	// may have them: they were sold already.
	Withdrawn bool
	// Price has no currency where the product has no price in the cart's.
	Price domain.Money
}

// Rules a cart may be refused by. Each comes with every mistake of the cart.
var (
	ErrCart         = domain.Rule("cart-invalid", "the cart has mistakes")
	ErrPriceChanged = domain.Rule("price-changed", "a price is no longer the one the shopper saw")
)

// Price prices a cart from the offers for its SKUs; a SKU without an offer is
// unknown. It refuses with every mistake of the cart at once.
func Price(r Request, offers map[string]Offer) ([]Line, Totals, error) {
	mistakes := append(r.check(), PayMistakes("/payment", r.Method, r.ReturnURL)...)
	lines := make([]Line, 0, len(r.Lines))
	size := 0
	for i, line := range r.Lines {
		priced, m := r.price(i, line, offers)
		mistakes = append(mistakes, m...)
		lines = append(lines, priced)
		size += 360 + len(priced.SKU) + len(priced.Title)
	}
	if size > MaxBytes {
		mistakes = append(mistakes, mistake("/lines", "cart-too-large", "the lines with their titles take too much room: split the order"))
	}
	if len(mistakes) == 0 {
		mistakes = r.share(lines)
	}
	if len(mistakes) > 0 {
		return nil, Totals{}, refusal(mistakes)
	}
	totals, err := r.sum(lines)
	if err != nil {
		return nil, Totals{}, ErrCart.Because(mistake("/lines", "amount-overflow", "the cart costs more than fits"))
	}
	return lines, totals, nil
}

// check returns the mistakes of a cart apart from its lines.
func (r Request) check() []domain.Mistake {
	var m []domain.Mistake
	if !(domain.Money{Currency: r.Currency}).Valid() {
		m = append(m, mistake("/currency", "unknown-currency", "a currency is a code of ISO 4217"))
	}
	if len(r.Lines) == 0 {
		m = append(m, mistake("/lines", "no-lines", "an order needs at least one line"))
	}
	if len(r.Lines) > MaxLines {
		m = append(m, mistake("/lines", "too-many-lines", fmt.Sprintf("an order has at most %d lines", MaxLines)))
	}
	if r.Method == "" && !r.free() {
		m = append(m, mistake("/payment/method", "no-method", "an order needs a payment method"))
	}
	if r.ShipToCountry != "" && !domain.ValidCountry(r.ShipToCountry) {
		m = append(m, mistake("/ship_to/country", "invalid-country", "a country is a code of ISO 3166, two capital letters"))
	}
	if x := r.External; x != (External{}) && (x.Source == "" || x.Ref == "" || x.Time.IsZero()) {
		m = append(m, mistake("/external", "invalid-external", "source, ref and time say where the order comes from"))
	}
	return append(m, r.checkCharges()...)
}

// free reports whether every line has a price of nothing, agreed elsewhere, and
// nothing else is to be paid.
func (r Request) free() bool {
	priced := func(l RequestLine) bool {
		return l.UnitPrice == nil || l.UnitPrice.Amount != 0 || l.Tax != nil && l.Tax.Amount != 0
	}
	return r.External != (External{}) && !slices.ContainsFunc(r.Lines, priced) && r.Shipping.Price.Amount == 0 && r.Shipping.Tax.Amount == 0
}

func (r Request) price(i int, line RequestLine, offers map[string]Offer) (Line, []domain.Mistake) {
	var m []domain.Mistake
	at := fmt.Sprintf("/lines/%d", i)
	if line.Quantity < 1 || line.Quantity > MaxQuantity {
		m = append(m, mistake(at+"/quantity", "invalid-quantity", fmt.Sprintf("a quantity is 1 to %d", MaxQuantity)))
	}
	offer, known := offers[line.SKU]
	if !known {
		m = append(m, mistake(at+"/sku", "unknown-sku", "no product is registered under this SKU"))
	}
	if offer.Withdrawn && r.External == (External{}) {
		m = append(m, mistake(at+"/sku", "sku-not-active", "the product is not sold any more"))
	}
	price, wrong := r.unitPrice(at, line, offer)
	if known {
		m = append(m, wrong...)
	}
	total, err := price.Mul(int64(line.Quantity))
	if err != nil {
		m = append(m, mistake(at, "amount-overflow", "the line costs more than fits"))
	}
	zero := domain.Money{Currency: r.Currency}
	priced := Line{
		LineID: strconv.Itoa(i + 1), SKU: line.SKU, Title: offer.Title, Quantity: line.Quantity,
		UnitPrice: price, Discount: zero, Tax: zero, Total: total,
	}
	return priced, append(m, r.charge(at, line, &priced)...)
}

func (r Request) unitPrice(at string, line RequestLine, offer Offer) (domain.Money, []domain.Mistake) {
	given := line.UnitPrice
	switch {
	case given != nil && given.Currency != r.Currency:
		return offer.Price, []domain.Mistake{mistake(at+"/unit_price/currency", "currency-mismatch", "an order has one currency")}
	case given != nil && given.Amount < 0:
		return offer.Price, []domain.Mistake{mistake(at+"/unit_price/amount", "negative-amount", "a price is not negative")}
	case given != nil && r.External != (External{}):
		return *given, nil
	case offer.Price.Currency == "":
		return offer.Price, []domain.Mistake{mistake(at+"/sku", "no-price", "the product has no price in "+r.Currency)}
	case given != nil && *given != offer.Price:
		return offer.Price, []domain.Mistake{mistake(at+"/unit_price", "price-changed", "the price is "+offer.Price.String())}
	}
	return offer.Price, nil
}

// refusal is the rule that all mistakes share, or else that of a cart with
// mistakes.
func refusal(mistakes []domain.Mistake) error {
	for _, rule := range []*domain.RuleError{ErrPriceChanged, domain.ErrCurrencyMismatch} {
		other := func(m domain.Mistake) bool { return m.Code != rule.Code }
		if !slices.ContainsFunc(mistakes, other) {
			return rule.Because(mistakes...)
		}
	}
	return ErrCart.Because(mistakes...)
}

func mistake(pointer, code, detail string) domain.Mistake {
	return domain.Mistake{Pointer: pointer, Code: code, Detail: detail}
}
