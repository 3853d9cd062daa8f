package stock

import (
	"fmt"

	"github.com/waybill-dev/waybill/domain"
)

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Register:
		return register(s, c)
	case SetPolicy:
		return setPolicy(s, c)
	case Receive:
		return receive(s, c)
	case Adjust:
		return adjust(s, c)
	case Reserve:
		return reserve(s, c)
	case Extend:
		return extend(s, c)
	case Release:
		return release(s, c)
	case Commit:
		return commit(s, c)
	case Sweep:
		_, events := sweep(s, c.At, func(State) bool { return false })
		return events, nil
	case Ship:
		return ship(s, c)
	case Return:
		return giveBack(s, c)
	}
	panic(fmt.Sprintf("stock: unknown command %T", c))
}

func register(s State, c Register) ([]Event, error) {
	if err := checkItem(c.Location, c.SKU); err != nil {
		return nil, err
	}
	if err := checkPolicy(c.Policy, c.BackorderLimit); err != nil {
		return nil, err
	}
	if s.Known() {
		if s.Policy == c.Policy && s.BackorderLimit == c.BackorderLimit {
			return nil, nil
		}
		return nil, ErrIDReused.With("sku", c.SKU).With("location", c.Location)
	}
	return []Event{StockItemRegistered{c.SKU, c.Location, c.Policy, c.BackorderLimit}}, nil
}

// setPolicy changes no promise that was given. Where it leaves more promised
// than is allowed, that is a shortfall.
func setPolicy(s State, c SetPolicy) ([]Event, error) {
	if !s.Known() {
		return register(s, Register(c))
	}
	if err := checkPolicy(c.Policy, c.BackorderLimit); err != nil {
		return nil, err
	}
	if s.Policy == c.Policy && s.BackorderLimit == c.BackorderLimit {
		return nil, nil
	}
	changed := StockPolicyChanged{s.SKU, s.Location, c.Policy, c.BackorderLimit}
	return withShortfall(s, changed, c.BackorderLimit < s.BackorderLimit), nil
}

func checkPolicy(policy Policy, limit int) error {
	if policy != Deny && policy != Backorder || limit < 0 || limit > MaxReceived || policy == Deny && limit > 0 {
		return ErrInvalid.Because(domain.Mistake{
			Pointer: "/policy", Code: "invalid-policy", Detail: "the policy is deny, or backorder with a limit",
		})
	}
	return nil
}

func receive(s State, c Receive) ([]Event, error) {
	if err := checkItem(c.Location, c.SKU); err != nil {
		return nil, err
	}
	if err := checkQuantity(c.Quantity); err != nil {
		return nil, err
	}
	if done, err := s.noted(receiptKey(c.Ref), c.Quantity, ErrIDReused.With("ref", c.Ref)); done || err != nil {
		return nil, err
	}
	return arrived(s, c.Location, c.SKU, StockReceived{c.SKU, c.Location, c.Quantity, c.Ref}), nil
}

// giveBack puts shipped units back.
func giveBack(s State, c Return) ([]Event, error) {
	if err := checkItem(c.Location, c.SKU); err != nil {
		return nil, err
	}
	if err := checkQuantity(c.Quantity); err != nil {
		return nil, err
	}
	if done, err := s.noted(returnKey(c.ReturnID), c.Quantity, ErrIDReused.With("return_id", c.ReturnID)); done || err != nil {
		return nil, err
	}
	return arrived(s, c.Location, c.SKU, StockReturned{c.SKU, c.Location, c.ReturnID, c.Quantity}), nil
}

// arrived registers the item with the first units that come to it.
func arrived(s State, location, sku string, e Event) []Event {
	if s.Known() {
		return []Event{e}
	}
	return []Event{StockItemRegistered{SKU: sku, Location: location, Policy: Deny}, e}
}

// noted reports whether a reference was used for a quantity before, and refuses
// another one.
func (s State) noted(key string, quantity int, reused *domain.RuleError) (bool, error) {
	before, there := s.refs.get(key)
	if !there && s.memory != nil && s.memory.Key == key {
		before, there = s.memory.state.refs.get(key)
	} else if !there && s.faded.has(key) {
		return false, &forgottenError{key}
	}
	if there && before != quantity {
		return false, reused
	}
	return there, nil
}

func adjust(s State, c Adjust) ([]Event, error) {
	if c.Delta == 0 || max(c.Delta, -c.Delta) > MaxReceived {
		return nil, ErrInvalid.Because(domain.Mistake{
			Pointer: "/delta", Code: "invalid-quantity", Detail: fmt.Sprintf("up to %d units are added or taken away", MaxReceived),
		})
	}
	if !domain.ValidWord(c.Reason) {
		return nil, ErrInvalid.Because(domain.Mistake{
			Pointer: "/reason", Code: "invalid-reason", Detail: domain.WordMistake,
		})
	}
	if done, err := s.noted(adjustmentKey(c.Ref), c.Delta, ErrIDReused.With("ref", c.Ref)); done || err != nil {
		return nil, err
	}
	switch {
	case !s.Known():
		return nil, ErrInvalid.Because(domain.Mistake{
			Pointer: "/sku", Code: "unknown-item", Detail: "nothing of this SKU was ever at this location",
		})
	case c.Delta < 0 && s.OnHand+c.Delta < 0:
		return nil, exceeded("/delta", -c.Delta, max(0, s.OnHand))
	}
	return withShortfall(s, StockAdjusted{s.SKU, s.Location, c.Delta, c.Reason, c.Ref}, c.Delta < 0), nil
}

// exceeded refuses to take away more than there is.
func exceeded(pointer string, requested, available int) *domain.RuleError {
	return ErrInvalid.With("requested", requested).With("available", available).
		Because(domain.Mistake{Pointer: pointer, Code: "quantity-exceeded", Detail: "that is more units than there are"})
}

func checkQuantity(quantity int) error {
	if quantity < 1 || quantity > MaxReceived {
		return ErrInvalid.Because(domain.Mistake{
			Pointer: "/quantity", Code: "invalid-quantity", Detail: fmt.Sprintf("1 to %d units arrive at once", MaxReceived),
		})
	}
	return nil
}

func checkItem(location, sku string) error {
	var m []domain.Mistake
	if !domain.ValidLocation(location) {
		m = append(m, domain.Mistake{Pointer: "/location", Code: "invalid-location", Detail: `a location has 1 to 64 letters, digits, "-" and "_"`})
	}
	if !domain.ValidSKU(sku) {
		m = append(m, domain.Mistake{Pointer: "/sku", Code: "invalid-sku", Detail: `a SKU has 1 to 64 letters, digits and signs of "-_.+:"`})
	}
	if len(m) > 0 {
		return ErrInvalid.Because(m...)
	}
	return nil
}
