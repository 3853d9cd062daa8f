package projections

import (
	"math/big"
	"slices"

	"github.com/waybill-dev/waybill/domain/order"
)

// keptSale is what of an order its shares follow from.
type keptSale struct {
	Lines    []soldLine       `json:"lines"`
	Refunds  map[string]int64 `json:"refunds,omitempty"` // done, by SKU
	Promised []promised       `json:"promised,omitempty"`
}

type soldLine struct {
	ID        string `json:"id"`
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`
	Price     int64  `json:"price"`
	Discount  int64  `json:"discount,omitempty"`
	Total     int64  `json:"total"`
	Cancelled int64  `json:"cancelled,omitempty"`
	Returned  int64  `json:"returned,omitempty"`
}

// promised is a refund that was asked for.
type promised struct {
	ID    string        `json:"id"`
	Lines []order.Units `json:"lines,omitempty"`
}

func keptSaleOf(e order.OrderPlaced) keptSale {
	k := keptSale{Lines: make([]soldLine, 0, len(e.Lines))}
	for _, l := range e.Lines {
		k.Lines = append(k.Lines, soldLine{
			ID: l.LineID, SKU: l.SKU, Quantity: int64(l.Quantity), Price: l.UnitPrice.Amount, Discount: l.Discount.Amount, Total: l.Total.Amount,
		})
	}
	return k
}

// shares returns what an order counts for by SKU, and in all.
func (k *keptSale) shares() (bySKU map[string]sale, all sale) {
	bySKU = make(map[string]sale, len(k.Lines))
	for _, l := range k.Lines {
		share := bySKU[l.SKU].plus(l.share())
		share.orders = min(share.orders, 1)
		bySKU[l.SKU] = share
	}
	for sku, amount := range k.Refunds {
		bySKU[sku] = bySKU[sku].plus(sale{refunds: amount})
	}
	for _, share := range bySKU {
		all = all.plus(share)
	}
	all.orders = min(all.orders, 1)
	return bySKU, all
}

func (l soldLine) share() sale {
	units := l.Quantity - l.Cancelled
	s := sale{orders: min(units, 1), units: units, returned: l.Returned, gross: l.Price * units}
	s.discount = portion(l.Discount, units, l.Quantity)
	return s
}

// portion is amount * n / of, rounded down, for no more units than there are:
// so it cannot overflow.
func portion(amount, n, of int64) int64 {
	if of == 0 {
		return 0
	}
	return amount/of*n + amount%of*n/of
}

func (k *keptSale) line(id string) *soldLine {
	for i := range k.Lines {
		if k.Lines[i].ID == id {
			return &k.Lines[i]
		}
	}
	return nil
}

func (k *keptSale) edit(e order.OrderEdited) {
	for _, c := range e.Changes {
		if c.QuantityTo == 0 {
			k.Lines = slices.DeleteFunc(k.Lines, func(l soldLine) bool { return l.ID == c.LineID })
			continue
		}
		l := k.line(c.LineID)
		if l == nil {
			k.Lines = append(k.Lines, soldLine{ID: c.LineID})
			l = &k.Lines[len(k.Lines)-1]
		}
		l.SKU, l.Quantity, l.Price, l.Discount, l.Total = c.SKU, int64(c.QuantityTo), c.UnitPrice.Amount, c.Discount.Amount, c.Total.Amount
	}
}

func (k *keptSale) cancel(e order.OrderCancelled) {
	for _, u := range e.Lines {
		if l := k.line(u.LineID); l != nil {
			l.Cancelled += int64(u.Quantity)
		}
	}
}

func (k *keptSale) takeBack(e order.OrderReturnReceived) {
	for _, u := range e.Lines {
		if l := k.line(u.LineID); l != nil {
			l.Returned += int64(u.Quantity)
		}
	}
}

func (k *keptSale) ask(e order.OrderRefundRequested) {
	if e.Reason != order.ReasonCancelled && e.Reason != order.ReasonEdited {
		k.Promised = append(k.Promised, promised{e.RefundID, e.Lines})
	}
}

func (k *keptSale) forget(refundID string) {
	k.Promised = slices.DeleteFunc(k.Promised, func(p promised) bool { return p.ID == refundID })
}

// refund splits what was given back. Shares are rounded so that they add up to
// it.
func (k *keptSale) refund(e order.OrderRefunded) {
	at := slices.IndexFunc(k.Promised, func(p promised) bool { return p.ID == e.RefundID })
	if at < 0 {
		return
	}
	parts := k.worth(k.Promised[at].Lines)
	k.forget(e.RefundID)
	if k.Refunds == nil {
		k.Refunds = map[string]int64{}
	}
	var whole, sum, given int64
	for _, p := range parts {
		whole += p.weight
	}
	for _, p := range parts {
		sum += p.weight
		upTo := new(big.Int).Mul(big.NewInt(e.Amount.Amount), big.NewInt(sum))
		until := upTo.Div(upTo, big.NewInt(whole)).Int64()
		k.Refunds[p.sku] += until - given
		given = until
	}
}

// part is something a refund is for.
type part struct {
	sku    string
	weight int64
}

// worth is what units cost, or all lines if none are named. Where that is
// nothing, the first line stands for it.
func (k *keptSale) worth(units []order.Units) (parts []part) {
	add := func(sku string, weight int64) {
		if weight > 0 {
			parts = append(parts, part{sku, weight})
		}
	}
	for _, u := range units {
		if l := k.line(u.LineID); l != nil {
			add(l.SKU, portion(l.Total, int64(u.Quantity), l.Quantity))
		}
	}
	if len(parts) == 0 {
		for _, l := range k.Lines {
			add(l.SKU, l.Total)
		}
	}
	if len(parts) == 0 && len(k.Lines) > 0 {
		return []part{{k.Lines[0].SKU, 1}}
	}
	return parts
}
