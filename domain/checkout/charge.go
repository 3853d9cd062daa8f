package checkout

import (
	"fmt"

	"github.com/waybill-dev/waybill/domain"
)

// MaxDiscounts is how many discounts a cart may have.
const MaxDiscounts = 100

// Shipping is how the goods go, and what the shop takes for that.
type Shipping struct {
	Method string       `json:"method"`
	Price  domain.Money `json:"price"`
	Tax    domain.Money `json:"tax"`
}

// Discount is what a code takes off.
type Discount struct {
	Code   string       `json:"code"`
	Amount domain.Money `json:"amount"`
}

// checkCharges returns the mistakes of what the shop calculates itself: the
// channel, shipping and discounts.
func (r Request) checkCharges() []domain.Mistake {
	var m []domain.Mistake
	if r.Channel != "" && !domain.ValidLabel(r.Channel) {
		m = append(m, mistake("/channel", "invalid-channel", domain.LabelMistake))
	}
	if r.Shipping != (Shipping{}) {
		if !domain.ValidLabel(r.Shipping.Method) {
			m = append(m, mistake("/shipping/method", "invalid-method", domain.LabelMistake))
		}
		m = append(m, r.amount("/shipping/price", r.Shipping.Price)...)
		m = append(m, r.amount("/shipping/tax", r.Shipping.Tax)...)
	}
	if len(r.Discounts) > MaxDiscounts {
		return append(m, mistake("/discounts", "too-many-discounts", fmt.Sprintf("an order has at most %d discounts", MaxDiscounts)))
	}
	for i, d := range r.Discounts {
		at := fmt.Sprintf("/discounts/%d", i)
		if !domain.ValidLabel(d.Code) {
			m = append(m, mistake(at+"/code", "invalid-code", domain.LabelMistake))
		}
		m = append(m, r.amount(at+"/amount", d.Amount)...)
	}
	return m
}

// amount returns the mistakes of an amount that the shop says.
func (r Request) amount(at string, amount domain.Money) []domain.Mistake {
	return domain.AmountMistakes(at, amount, r.Currency)
}

// charge puts discount and tax on a line that has its price.
func (r Request) charge(at string, wanted RequestLine, line *Line) []domain.Mistake {
	var m []domain.Mistake
	for _, part := range []struct {
		name string
		said *domain.Money
		to   *domain.Money
	}{{"discount", wanted.Discount, &line.Discount}, {"tax", wanted.Tax, &line.Tax}} {
		if part.said == nil {
			continue
		}
		wrong := r.amount(at+"/"+part.name, *part.said)
		if m = append(m, wrong...); len(wrong) == 0 {
			*part.to = *part.said
		}
	}
	return m
}

// share spreads discounts that lines do not have themselves over all lines, by
// what they cost. Where lines have theirs, the discounts say what they are for.
func (r Request) share(lines []Line) []domain.Mistake {
	wanted, given := domain.Money{Currency: r.Currency}, domain.Money{Currency: r.Currency}
	costs, priced := make([]int64, len(lines)), domain.Money{Currency: r.Currency}
	sum := func(to *domain.Money, amount domain.Money) (err error) { *to, err = to.Add(amount); return err }
	for i, line := range lines {
		price, err := line.UnitPrice.Mul(int64(line.Quantity))
		if err != nil || sum(&priced, price) != nil || sum(&given, line.Discount) != nil {
			return nil // the sum of the cart says so
		}
		if line.Discount.Amount > price.Amount {
			return []domain.Mistake{mistake(fmt.Sprintf("/lines/%d/discount", i), "discount-too-large", "the line costs "+price.String())}
		}
		costs[i] = price.Amount
	}
	for _, d := range r.Discounts {
		if sum(&wanted, d.Amount) != nil {
			return []domain.Mistake{mistake("/discounts", "amount-overflow", "the discounts are more than fits")}
		}
	}
	switch {
	case len(r.Discounts) == 0:
		return nil
	case wanted.Amount > priced.Amount:
		return []domain.Mistake{mistake("/discounts", "discount-too-large", "the lines cost "+priced.String())}
	case given.Amount > 0 && given != wanted:
		return []domain.Mistake{mistake("/discounts", "discount-mismatch", "the discounts of the lines add up to "+given.String())}
	case given.Amount == 0:
		for i, amount := range wanted.Split(costs) {
			lines[i].Discount = amount
		}
	}
	return nil
}

// sum adds up lines, with shipping, and what each line costs in all.
func (r Request) sum(lines []Line) (Totals, error) {
	zero := domain.Money{Currency: r.Currency}
	totals := Totals{Subtotal: zero, Discount: zero, Shipping: zero, Tax: zero}
	if r.Shipping != (Shipping{}) {
		totals.Shipping, totals.Tax = r.Shipping.Price, r.Shipping.Tax
	}
	var wrong error
	keep := func(sum domain.Money, err error) domain.Money {
		if wrong == nil {
			wrong = err
		}
		return sum
	}
	for i := range lines {
		line := &lines[i]
		price := keep(line.UnitPrice.Mul(int64(line.Quantity)))
		line.Total = keep(keep(price.Sub(line.Discount)).Add(line.Tax))
		totals.Subtotal = keep(totals.Subtotal.Add(price))
		totals.Discount = keep(totals.Discount.Add(line.Discount))
		totals.Tax = keep(totals.Tax.Add(line.Tax))
		if wrong != nil {
			return Totals{}, wrong
		}
	}
	less := keep(totals.Subtotal.Sub(totals.Discount))
	totals.Grand = keep(keep(less.Add(totals.Shipping)).Add(totals.Tax))
	return totals, wrong
}
