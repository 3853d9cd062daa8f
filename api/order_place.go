package api

import (
	"context"
	"fmt"
	"net/http"
	"net/mail"

	"github.com/danielgtaylor/huma/v2"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/stock"
	checkouts "github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/vault"
)

type placeOrderRequest struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Required: 1 to 255 printable characters of your making. The same key and body again gives the first answer."`
	Body           placeOrderBody
}

// placedAnswer is an order, or a checkout whose outcome is not known yet.
type placedAnswer struct {
	Status   int
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Replayed string `header:"Idempotency-Replayed"`
	Position string `header:"X-Write-Position" doc:"Of the order in the log: lists take it as min_position."`
	Body     any
}

func (s *server) placeRoutes() {
	register(s, route{
		id: "placeOrder", method: http.MethodPost, path: "/v1/orders", tag: "orders",
		scopes: []apikey.Scope{apikey.OrdersWrite, apikey.OrdersImport}, status: http.StatusCreated,
		summary: "Place an order",
		about: "Prices the cart, reserves stock, authorises the payment and places the order. 202 says that the payment's outcome is not known yet, " +
			"or that the shopper has to confirm it at payment.action_url: the checkout at Location goes on by itself. The answer is kept under the Idempotency-Key for ever.",
		more:   map[int]string{http.StatusAccepted: "The payment's outcome is not known yet, or the shopper has to confirm the payment: the checkout at Location tells."},
		bodies: map[int]any{http.StatusCreated: orderBody{}, http.StatusAccepted: checkoutBody{}},
		refuses: []string{
			kindKeyMissing, kindKeyInvalid, domain.ErrKeyReused.Code, checkouts.ErrInProgress.Code,
			customer.ErrErased.Code, customer.ErrErasing.Code, checkout.ErrCart.Code, domain.ErrCurrencyMismatch.Code, checkout.ErrPriceChanged.Code, checkout.ErrOutOfStock.Code,
			checkout.ErrDeclined.Code, checkout.ErrStockLost.Code, checkout.ErrUnresolved.Code, checkout.ErrAbandoned.Code, kindGatewayAway,
		},
		example: map[string]any{
			"customer": map[string]any{"email": "a@example.com", "name": "A"}, "currency": "EUR",
			"lines": []any{map[string]any{"sku": "MUG-1", "quantity": 2}}, "payment": map[string]any{"method": "sandbox:approved"},
			"ship_to": map[string]any{"line1": "1 High Street", "city": "Leeds", "postal_code": "LS1 1UR", "country": "GB"},
		},
	}, s.placeOrder)
	register(s, route{
		id: "payCheckout", method: http.MethodPost, path: "/v1/checkouts/{id}/payments", tag: "checkouts",
		scopes: []apikey.Scope{apikey.OrdersWrite, apikey.OrdersImport}, status: http.StatusCreated,
		summary: "Try another payment after one was declined", about: fmt.Sprintf("The goods are kept until retry_until. At most %d payments are tried for one checkout.", checkout.MaxPayments),
		more:   map[int]string{http.StatusAccepted: "The payment's outcome is not known yet, or the shopper has to confirm the payment: the checkout at Location tells."},
		bodies: map[int]any{http.StatusCreated: orderBody{}, http.StatusAccepted: checkoutBody{}},
		refuses: []string{
			kindKeyMissing, kindKeyInvalid, domain.ErrKeyReused.Code, checkouts.ErrInProgress.Code, checkouts.ErrNotFound.Code,
			checkout.ErrTooManyPayments.Code, checkout.ErrCart.Code,
			checkout.ErrDeclined.Code, checkout.ErrStockLost.Code, checkout.ErrTransition.Code, stock.ErrExpired.Code, checkout.ErrUnresolved.Code, kindGatewayAway,
		},
		example: map[string]any{"method": "sandbox:approved"},
	}, s.payCheckout)
}

func (s *server) placeOrder(ctx context.Context, in *placeOrderRequest) (*placedAnswer, error) {
	caller := callOf(ctx)
	if !caller.credential.May(apikey.OrdersImport) {
		if only := in.Body.imported(); len(only) > 0 {
			return nil, s.refuse(kindForbidden, "an order that came about elsewhere needs the scope orders:import").
				because(only...).with("scopes", []apikey.Scope{apikey.OrdersImport})
		}
	}
	if err := s.checkKey(in.IdempotencyKey); err != nil {
		return nil, err
	}
	outcome, err := s.place(ctx, in.IdempotencyKey, in.Body, caller.body)
	return s.placedOrder(outcome, err)
}

// place places an order under a key; text is what the caller wrote of it.
func (s *server) place(ctx context.Context, key string, body placeOrderBody, text []byte) (checkouts.Outcome, error) {
	caller, cart := callOf(ctx), body.cart()
	if wrong := append(body.customerMistakes(), body.addressMistakes()...); len(wrong) > 0 {
		return checkouts.Outcome{}, s.wrongPerson(ctx, cart, wrong)
	}
	print, err := fingerprint(s.api.CursorKey, text)
	if err != nil {
		return checkouts.Outcome{}, err
	}
	place := checkouts.Place{
		Credential: tenant + ":" + caller.credential.KeyID, Key: key, Fingerprint: print, Actor: caller.metadata().Actor, Cart: cart,
	}
	if err := s.person(ctx, &place, body); err != nil {
		return checkouts.Outcome{}, err
	}
	return s.api.Checkouts.Place(ctx, place)
}

// person says whose the order is, and what of that belongs into the vault.
func (s *server) person(ctx context.Context, place *checkouts.Place, body placeOrderBody) (err error) {
	if c := body.Customer; c != nil {
		if place.Subject = c.ID; c.ID == "" && c.Email != "" {
			if place.Subject, err = s.api.Vault.Current(ctx, c.Email); err != nil {
				return err
			}
		}
		place.Cart.CustomerID = place.Subject
		if c.Email+c.Name+c.Phone != "" {
			place.Contact = vault.Contact{Email: c.Email, Name: c.Name, Phone: c.Phone, Language: c.Language}
		}
	}
	if body.ShipTo != nil && body.ShipTo.whole() {
		place.ShipTo = vault.Address(*body.ShipTo)
	}
	if body.BillTo != nil {
		place.BillTo = vault.Address(*body.BillTo)
	}
	return nil
}

// placedOrder answers with what a checkout came to.
func (s *server) placedOrder(o checkouts.Outcome, err error) (*placedAnswer, error) {
	if err != nil {
		return nil, err
	}
	answer := &placedAnswer{}
	if o.Replayed {
		answer.Replayed = replayed
	}
	switch {
	case o.Refused != nil:
		return nil, s.refusedCheckout(o)
	case o.Checkout.Step == checkout.Completed:
		answer.Status, answer.Location, answer.ETag = http.StatusCreated, "/v1/orders/"+o.Order.OrderID, etag(o.Revision)
		answer.Body, answer.Position = orderBodyOf(o.Order), positionText(o.Position)
	default:
		answer.Status, answer.Location = http.StatusAccepted, "/v1/checkouts/"+o.Checkout.CheckoutID
		answer.Body = checkoutBodyOf(o.Checkout)
	}
	return answer, nil
}

func (s *server) refusedCheckout(o checkouts.Outcome) *Problem {
	problem := s.refusal(o.Refused)
	if id := o.Checkout.CheckoutID; id != "" {
		problem.with("checkout_id", id)
	}
	if o.RetryAfter > 0 {
		problem.RetryAfter = o.RetryAfter
	}
	if o.Replayed && o.RetryAfter == 0 {
		problem.Header = http.Header{"Idempotency-Replayed": {replayed}}
	}
	return problem
}

// wrongPerson refuses a cart whose customer or address is wrong together with
// everything else that is wrong with it. It is not kept under the key.
func (s *server) wrongPerson(ctx context.Context, cart checkout.Request, wrong []domain.Mistake) error {
	_, err := checkouts.Prices{Products: s.api.Catalogue}.Price(ctx, cart)
	rest := mistakesOf(err)
	if err != nil && len(rest) == 0 {
		return err
	}
	return checkout.ErrCart.Because(append(wrong, rest...)...)
}

// checkKey refuses a request without a usable Idempotency-Key.
func (s *server) checkKey(key string) error {
	switch {
	case key == "":
		return s.refuse(kindKeyMissing, "this request needs a header Idempotency-Key")
	case !validKey(key):
		return s.refuse(kindKeyInvalid, "an Idempotency-Key has 1 to 255 printable ASCII characters")
	}
	return nil
}

// cart is what is asked for, without personal data.
func (b placeOrderBody) cart() checkout.Request {
	cart := checkout.Request{Currency: b.Currency, Method: b.Payment.Method, ReturnURL: b.Payment.ReturnURL, Lines: each(b.Lines, cartLineBody.line)}
	b.put(&cart)
	if b.ShipTo != nil {
		cart.ShipToCountry = b.ShipTo.Country
	}
	if b.Customer != nil {
		cart.CustomerID = b.Customer.ID
	}
	if b.External != nil {
		cart.External = checkout.External{Source: b.External.Source, Ref: b.External.Ref, Time: b.External.Time}
	}
	return cart
}

// customerMistakes says what is wrong with who orders. An imported order may
// be of a guest.
func (b placeOrderBody) customerMistakes() []domain.Mistake {
	email := ""
	if b.Customer != nil {
		email = b.Customer.Email
	}
	if email == "" {
		if b.External != nil {
			return nil
		}
		return []domain.Mistake{{Pointer: "/customer/email", Code: "required", Detail: "an order needs the customer's e-mail address"}}
	}
	address, err := mail.ParseAddress(email)
	if err != nil || address.Address != email {
		return []domain.Mistake{{Pointer: "/customer/email", Code: "invalid-email", Detail: "this is not an e-mail address"}}
	}
	return nil
}

// addressMistakes says why parcels or bills would not arrive. Where parcels go
// the country alone may be said; the cart's own rules look at that.
func (b placeOrderBody) addressMistakes() []domain.Mistake {
	var m []domain.Mistake
	if b.ShipTo != nil && b.ShipTo.whole() {
		m = b.ShipTo.missing("/ship_to")
	}
	if b.BillTo != nil {
		m = append(m, b.BillTo.mistakes("/bill_to")...)
	}
	return m
}

type payCheckoutRequest struct {
	ID             string `path:"id" doc:"Id of the checkout."`
	IdempotencyKey string `header:"Idempotency-Key" doc:"Required: a new one for each payment that is tried."`
	Body           payBody
}

func (s *server) payCheckout(ctx context.Context, in *payCheckoutRequest) (*placedAnswer, error) {
	meta, err := s.keyed(ctx, "POST /v1/checkouts/"+in.ID+"/payments", in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	outcome, err := s.api.Checkouts.Pay(ctx, checkouts.Pay{
		CheckoutID: in.ID, RequestID: meta.CommandID, Fingerprint: meta.Fingerprint, Method: in.Body.Method, ReturnURL: in.Body.ReturnURL, Actor: meta.Actor,
	})
	return s.placedOrder(outcome, err)
}

// Two schemas that say more than is checked here: the domain checks it and
// finds every mistake at once.

// TransformSchema implements [huma.SchemaTransformer].
func (placeOrderBody) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	schema.Properties["lines"].Extensions = map[string]any{"minItems": 1, "maxItems": checkout.MaxLines}
	return schema
}

// TransformSchema implements [huma.SchemaTransformer].
func (cartLineBody) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	schema.Properties["quantity"].Extensions = map[string]any{"minimum": 1, "maximum": checkout.MaxQuantity}
	return schema
}
