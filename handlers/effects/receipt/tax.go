package receipt

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/handlers/effects/shop"
)

// rate is everything that is taxed alike.
type rate struct {
	percent  float64
	net, tax int64
}

// rates groups an order's tax by rate. Events have amounts and no rates, so a
// rate is found from the largest amounts, where rounding says least; whatever a
// known rate explains to the minor unit belongs to it. Without any tax there
// are none.
func rates(lines []order.Line, shipping order.Shipping) []rate {
	type taxed struct{ net, tax int64 }
	var all []taxed
	for _, l := range lines {
		all = append(all, taxed{l.Total.Amount - l.Tax.Amount, l.Tax.Amount})
	}
	if shipping.Price.Amount != 0 || shipping.Tax.Amount != 0 {
		all = append(all, taxed{shipping.Price.Amount, shipping.Tax.Amount})
	}
	if !slices.ContainsFunc(all, func(t taxed) bool { return t.tax != 0 }) {
		return nil
	}
	slices.SortStableFunc(all, func(a, b taxed) int { return cmp.Compare(b.net, a.net) })
	var found []rate
	for _, t := range all {
		if t.net == 0 && t.tax == 0 {
			continue
		}
		i := slices.IndexFunc(found, func(r rate) bool {
			return (t.tax == 0) == (r.percent == 0) && math.Abs(float64(t.net)*r.percent/100-float64(t.tax)) <= 1
		})
		if i < 0 {
			found = append(found, rate{percent: percent(t.net, t.tax)})
			i = len(found) - 1
		}
		found[i].net += t.net
		found[i].tax += t.tax
	}
	slices.SortFunc(found, func(a, b rate) int { return cmp.Compare(b.percent, a.percent) })
	return found
}

// percent is the roundest rate that explains a tax to half a minor unit: whole
// per cent, tenths, hundredths.
func percent(net, tax int64) float64 {
	exact := float64(tax) * 100 / float64(net)
	for _, parts := range []float64{1, 10, 100} {
		p := math.Round(exact*parts) / parts
		if math.Abs(float64(net)*p/100-float64(tax)) <= 0.5 {
			return p
		}
	}
	return math.Round(exact*100) / 100
}

// name writes a rate: "19 %", "5,5 %".
func (r rate) name(l shop.Language) string {
	text := strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", r.percent), "0"), ".")
	if l == shop.German {
		text = strings.ReplaceAll(text, ".", ",")
	}
	return text + "\u00a0%"
}

func money(amount int64, currency string) domain.Money {
	return domain.Money{Amount: amount, Currency: currency}
}
