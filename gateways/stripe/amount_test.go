package stripe

import (
	"errors"
	"math"
	"testing"

	"github.com/waybill-dev/waybill/domain"
)

func TestAmounts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		ours   domain.Money
		theirs int64
		err    error
	}{
		{domain.Money{Amount: 1250, Currency: "EUR"}, 1250, nil},
		{domain.Money{Amount: 1250, Currency: "JPY"}, 1250, nil},
		{domain.Money{Amount: 1250, Currency: "ISK"}, 125_000, nil},
		{domain.Money{Amount: 1250, Currency: "UGX"}, 125_000, nil},
		{domain.Money{Amount: 1200, Currency: "MGA"}, 12, nil},
		{domain.Money{Amount: 1250, Currency: "MGA"}, 0, errAmount},
		{domain.Money{Amount: 1250, Currency: "KWD"}, 1250, nil},
		{domain.Money{Amount: 1255, Currency: "KWD"}, 0, errAmount},
		{domain.Money{Amount: math.MaxInt64, Currency: "ISK"}, 0, errAmount},
	} {
		amount, currency, err := outgoing(row.ours)
		if amount != row.theirs || !errors.Is(err, row.err) {
			t.Errorf("%v becomes %d, %v; want %d, %v", row.ours, amount, err, row.theirs, row.err)
		}
		if back := incoming(amount, currency); err == nil && back != row.ours {
			t.Errorf("%v comes back as %v", row.ours, back)
		}
	}
}
