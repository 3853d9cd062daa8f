package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/handlers/customers"
	"github.com/waybill-dev/waybill/handlers/orders"
	"github.com/waybill-dev/waybill/vault"
)

type orderContactRequest struct {
	ID string `path:"id" doc:"Id of the order."`
}

// personalAnswer is personal data of an order. No cache keeps it, and there is
// no 304, because it may be erased while the order stays as it is.
type personalAnswer[B any] struct {
	ETag         string `header:"ETag" doc:"Of the order."`
	CacheControl string `header:"Cache-Control"`
	Body         B
}

type orderContactBody struct {
	CustomerID string `json:"customer_id,omitempty" doc:"Missing for a guest."`
	Email      string `json:"email,omitempty" doc:"[erased] once the data was erased." example:"a@example.com"`
	Name       string `json:"name,omitempty" example:"A"`
	Phone      string `json:"phone,omitempty" example:"+44 20 7946 0000"`
}

type orderAddressBody struct {
	ShipTo *address `json:"ship_to,omitempty" doc:"Where what is not yet shipped goes; nothing but the country where that is all that was said. [erased] stands for what was erased."`
	BillTo *address `json:"bill_to,omitempty" doc:"Where the bill goes, if elsewhere."`
}

func (s *server) orderContactRoutes() {
	registerPersonal(s, "getOrderContact", "contact", "Show who ordered", s.contactOf)
	registerPersonal(s, "getOrderAddress", "address", "Show where an order goes", s.addressesOf)
	register(s, route{
		id: "eraseOrderContact", method: http.MethodPost, path: "/v1/orders/{id}/erase-contact", tag: "orders", scopes: []apikey.Scope{apikey.CustomersWrite}, status: http.StatusAccepted,
		summary: "Erase the personal data of a guest's order",
		about: "Contact, addresses and notes of an order that has no customer, and of those that replaced its goods; the order stays, with all amounts. Refused while one of them is open. " +
			"The data of an order with a customer is erased with the customer.",
		refuses: jobRefusals(orders.ErrNotFound.Code, customer.ErrIsCustomers.Code, customer.ErrOpenOrders.Code), example: map[string]any{},
	}, s.eraseOrderContact)
}

// eraseOrderContact erases the guest that the order stands for.
func (s *server) eraseOrderContact(ctx context.Context, in *customerJobRequest) (*jobStartedAnswer, error) {
	state, _, err := s.api.Changes.At(ctx, in.ID, orders.Moment{})
	if err != nil {
		return nil, err
	}
	guest := orders.Subject(state)
	if _, is := customer.GuestOf(guest); !is {
		return nil, customer.ErrIsCustomers.With("customer_id", guest)
	}
	if err := s.api.Customers.Erasable(ctx, guest); err != nil {
		return nil, err
	}
	return s.customerJob(ctx, &customerJobRequest{ID: guest, IdempotencyKey: in.IdempotencyKey, Body: in.Body}, customers.EraseKind)
}

// registerPersonal adds a route that shows personal data of an order.
func registerPersonal[B any](s *server, id, kind, summary string, read func(context.Context, order.State) (B, error)) {
	register(s, route{
		id: id, method: http.MethodGet, path: "/v1/orders/{id}/" + kind, tag: "orders", scopes: []apikey.Scope{apikey.CustomersRead},
		status: http.StatusOK, summary: summary, about: "From the log and the vault: never behind.", refuses: []string{orders.ErrNotFound.Code},
	}, func(ctx context.Context, in *orderContactRequest) (*personalAnswer[B], error) {
		state, revision, err := s.api.Changes.At(ctx, in.ID, orders.Moment{})
		if err != nil {
			return nil, err
		}
		body, err := read(ctx, state)
		return &personalAnswer[B]{ETag: etag(revision), CacheControl: "no-store", Body: body}, err
	})
}

func (s *server) contactOf(ctx context.Context, o order.State) (orderContactBody, error) {
	kept, gone, err := kept[vault.Contact](ctx, s.api.Vault, o.ContactRef)
	if gone {
		kept = vault.Contact{Email: erased, Name: erased}
	}
	return orderContactBody{CustomerID: o.CustomerID, Email: kept.Email, Name: kept.Name, Phone: kept.Phone}, err
}

func (s *server) addressesOf(ctx context.Context, o order.State) (orderAddressBody, error) {
	shipTo, err := s.addressAt(ctx, o.ShipToRef, o.ShipToCountry)
	if err != nil {
		return orderAddressBody{}, err
	}
	billTo, err := s.addressAt(ctx, o.BillToRef, "")
	return orderAddressBody{ShipTo: shipTo, BillTo: billTo}, err
}

// addressAt reads an address; nil where there never was any.
func (s *server) addressAt(ctx context.Context, ref, country string) (*address, error) {
	kept, gone, err := kept[vault.Address](ctx, s.api.Vault, ref)
	switch {
	case err != nil:
		return nil, err
	case gone:
		kept = vault.Address{Name: erased, Line1: erased, City: erased, Country: cmp.Or(country, erased)}
	case ref == "" && country == "":
		return nil, nil
	case ref == "":
		kept.Country = country
	}
	return (*address)(&kept), nil
}

// kept reads what an event refers to. What is not there any more is gone; an
// empty reference is nothing.
func kept[T any](ctx context.Context, from *vault.Vault, ref string) (data T, gone bool, err error) {
	if ref == "" {
		return data, false, nil
	}
	err = from.Get(ctx, ref, &data)
	if errors.Is(err, vault.ErrErased) || errors.Is(err, vault.ErrNotFound) {
		return data, true, nil
	}
	return data, false, err
}
