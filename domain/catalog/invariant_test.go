package catalog_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/catalog"
)

// model is a product in plain variables.
type model struct {
	known, withdrawn bool
	title            string
	prices           map[string]int64 // by currency and region
	registered       string           // what the first registration was
}

// do does a command and reports whether it changed anything.
func (m *model) do(c catalog.Command) (changed bool, refusal *domain.RuleError) {
	if r, ok := c.(catalog.Register); ok {
		return m.register(r)
	}
	if !m.known {
		return false, catalog.ErrUnknown
	}
	switch c := c.(type) {
	case catalog.Register: // above
	case catalog.ChangePrice:
		if c.Price.Amount < 0 {
			return false, catalog.ErrInvalid
		}
		key := c.Price.Currency + c.Price.Region
		before, had := m.prices[key]
		m.prices[key] = c.Price.Amount
		return !had || before != c.Price.Amount, nil
	case catalog.ChangeTitle:
		if c.Title == "" {
			return false, catalog.ErrInvalid
		}
		changed, m.title = m.title != c.Title, c.Title
	case catalog.Withdraw:
		changed, m.withdrawn = !m.withdrawn, true
	case catalog.Relist:
		changed, m.withdrawn = m.withdrawn, false
	}
	return changed, nil
}

func (m *model) register(r catalog.Register) (bool, *domain.RuleError) {
	content := fmt.Sprintf("%#v", catalog.Register{Title: r.Title, Prices: r.Prices}) // a price is shown without its region
	switch {
	case r.Title == "" || r.Prices[0].Amount < 0:
		return false, catalog.ErrInvalid
	case m.known && m.registered != content:
		return false, catalog.ErrExists
	case m.known:
		return false, nil
	}
	*m = model{known: true, title: r.Title, registered: content, prices: map[string]int64{}}
	for _, p := range r.Prices {
		m.prices[p.Currency+p.Region] = p.Amount
	}
	return true, nil
}

func anyCommand(random *rand.Rand) catalog.Command {
	title := []string{"", "Mug", "Cup"}[random.IntN(3)]
	p := price(random.Int64N(4)-1, []string{"EUR", "GBP"}[random.IntN(2)], []string{"", "DE"}[random.IntN(2)])
	switch random.IntN(5) {
	case 0:
		return catalog.Register{SKU: "MUG-1", Title: title, Prices: []catalog.Price{p}, At: noon}
	case 1:
		return catalog.ChangePrice{SKU: "MUG-1", Price: p, At: noon}
	case 2:
		return catalog.ChangeTitle{SKU: "MUG-1", Title: title, At: noon}
	case 3:
		return catalog.Withdraw{SKU: "MUG-1", At: noon}
	}
	return catalog.Relist{SKU: "MUG-1", At: noon}
}

// Whatever the order of commands, the product is as a plain one would be, and a
// command that comes again causes nothing.
func TestAProductIsAsItsModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 11))
		var s catalog.State
		var m model
		for range 60 {
			c := anyCommand(random)
			changed, refusal := m.do(c)
			events, err := catalog.Decider.Decide(s, c)
			if (err != nil) != (refusal != nil) || refusal != nil && !errors.Is(err, refusal) || (len(events) > 0) != changed {
				t.Fatalf("seed %d: %#v causes %v and %v, want %v and %v", seed, c, events, err, changed, refusal)
			}
			s = catalog.Decider.Fold(s, events...)
			if again, err := catalog.Decider.Decide(s, c); refusal == nil && (err != nil || len(again) > 0) {
				t.Fatalf("seed %d: %#v again: %v, %v", seed, c, again, err)
			}
			prices := map[string]int64{}
			for _, p := range s.Prices {
				prices[p.Currency+p.Region] = p.Amount
			}
			if s.Known() != m.known || s.Withdrawn != m.withdrawn || s.Title != m.title || m.known && !cmp.Equal(prices, m.prices) {
				t.Fatalf("seed %d: after %#v it is %+v, want %+v", seed, c, s, m)
			}
		}
	}
}
