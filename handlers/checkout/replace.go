package checkout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/eventstore"
)

// ExchangeSource is the external source of orders that replace returned goods;
// their external reference is the id of the return.
const ExchangeSource = "exchange"

// Replacement is goods for goods that came back.
type Replacement struct {
	ReturnID   string // names the replacement: there is one for each return
	Try        int    // counts from 0; a refused one may be tried again with the next number
	CustomerID string
	// ContactRef is that of the order whose goods came back.
	ContactRef              string
	Currency, ShipToCountry string
	Lines                   []ReplacementLine
	At                      time.Time // of the return, the same on every repeat
	Actor                   eventstore.Actor
}

// ReplacementLine is units of one SKU.
type ReplacementLine struct {
	SKU      string
	Quantity int
}

// PlaceReplacement places an order that costs nothing and needs no payment.
// Repeating it with the same return and try gives the same order. Outcome and
// error are as those of [Service.Place]; it is refused with
// [checkout.ErrOutOfStock] where the goods are not there.
func (s *Service) PlaceReplacement(ctx context.Context, r Replacement) (Outcome, error) {
	cart := checkout.Request{
		CustomerID: r.CustomerID, ContactRef: r.ContactRef, Currency: r.Currency, ShipToCountry: r.ShipToCountry,
		External: checkout.External{Source: ExchangeSource, Ref: r.ReturnID, Time: r.At},
	}
	hash := sha256.New()
	for _, line := range r.Lines {
		_, _ = fmt.Fprintf(hash, "%d %q\n", line.Quantity, line.SKU) // never fails
		cart.Lines = append(cart.Lines, checkout.RequestLine{
			SKU: line.SKU, Quantity: line.Quantity, UnitPrice: &domain.Money{Currency: r.Currency},
		})
	}
	key := r.ReturnID
	if r.Try > 0 {
		key += " " + strconv.Itoa(r.Try)
	}
	return s.Place(ctx, Place{
		Credential: ExchangeSource, Key: key, Fingerprint: hex.EncodeToString(hash.Sum(nil)), Actor: r.Actor, Cart: cart,
	})
}
