package api

import "github.com/waybill-dev/waybill/domain"

// money is an amount as it goes over the wire.
type money struct {
	Amount   int64  `json:"amount" doc:"In minor units: cents, pence, yen." example:"1250"`
	Currency string `json:"currency" doc:"ISO 4217." example:"EUR"`
}

func moneyOf(m domain.Money) money { return money(m) }

func (m money) domain() domain.Money { return domain.Money(m) }

// ifSaid is nil where nothing was said.
func (m *money) ifSaid() *domain.Money {
	if m == nil {
		return nil
	}
	amount := m.domain()
	return &amount
}
