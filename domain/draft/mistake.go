package draft

import (
	"fmt"

	"github.com/waybill-dev/waybill/domain"
)

// mistakes are those that can be seen before the draft is priced.
func (l Line) mistakes(at, currency string) (wrong []domain.Mistake) {
	if !domain.ValidSKU(l.SKU) {
		wrong = append(wrong, domain.Mistake{Pointer: at + "/sku", Code: "invalid-sku", Detail: "a SKU is 1 to 64 letters, digits and signs of -_.+:"})
	}
	if l.Quantity < 1 || l.Quantity > MaxQuantity {
		wrong = append(wrong, domain.Mistake{Pointer: at + "/quantity", Code: "invalid-quantity", Detail: fmt.Sprintf("a quantity is 1 to %d", MaxQuantity)})
	}
	if l.Discount != (domain.Money{}) {
		wrong = append(wrong, domain.AmountMistakes(at+"/discount", l.Discount, currency)...)
	}
	if l.Tax != (domain.Money{}) {
		wrong = append(wrong, domain.AmountMistakes(at+"/tax", l.Tax, currency)...)
	}
	return wrong
}

// mistakes are those of labels, which stand in events and must not tell of
// people, and of amounts.
func (d Details) mistakes(currency string) (wrong []domain.Mistake) {
	label := func(at, code, text string) {
		if !domain.ValidLabel(text) {
			wrong = append(wrong, domain.Mistake{Pointer: at, Code: code, Detail: domain.LabelMistake})
		}
	}
	if d.Channel != "" {
		label("/channel", "invalid-channel", d.Channel)
	}
	if d.Shipping != (Shipping{}) {
		label("/shipping/method", "invalid-method", d.Shipping.Method)
		wrong = append(wrong, domain.AmountMistakes("/shipping/price", d.Shipping.Price, currency)...)
		wrong = append(wrong, domain.AmountMistakes("/shipping/tax", d.Shipping.Tax, currency)...)
	}
	if len(d.Discounts) > MaxDiscounts {
		return append(wrong, domain.Mistake{Pointer: "/discounts", Code: "too-many-discounts", Detail: fmt.Sprintf("an order has at most %d discounts", MaxDiscounts)})
	}
	for i, discount := range d.Discounts {
		at := fmt.Sprintf("/discounts/%d", i)
		label(at+"/code", "invalid-code", discount.Code)
		wrong = append(wrong, domain.AmountMistakes(at+"/amount", discount.Amount, currency)...)
	}
	return wrong
}

func tooMany() domain.Mistake {
	return domain.Mistake{Pointer: "/lines", Code: "too-many-lines", Detail: fmt.Sprintf("a draft has at most %d lines", MaxLines)}
}
