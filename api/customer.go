package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/mail"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/customers"
	"github.com/waybill-dev/waybill/vault"
)

type registerCustomerRequest struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Optional: the same key and body again changes nothing; without it, the same data again is kept again."`
	Body           contact
}

type customerRequest struct {
	ID string `path:"id" doc:"Id of the customer." maxLength:"200"`
}

type customerJobRequest struct {
	ID             string        `path:"id" doc:"Id of the customer, or of a guest's order." maxLength:"200"`
	IdempotencyKey string        `header:"Idempotency-Key" doc:"Optional: the same key and body again is the same job."`
	Body           *startJobBody `required:"false"`
}

type exportRequest struct {
	ID       string `path:"id" doc:"Id of the customer." maxLength:"200"`
	ExportID string `path:"export_id" doc:"From the result of the job." maxLength:"200"`
}

type customerAnswer struct {
	Status int
	ETag   string `header:"ETag" doc:"Missing for somebody who only ordered."`
	Body   customerRecord
}

// customerRecord is a customer as we know one.
type customerRecord struct {
	ID           string           `json:"id"`
	Status       string           `json:"status" enum:"ordered,registered,erasing,erased" doc:"ordered: known by orders alone."`
	Contact      *contact         `json:"contact,omitempty" doc:"For the scopes customers:read and customers:write. [erased] stands for what was erased."`
	OrderIDs     []string         `json:"order_ids" nullable:"false" doc:"The last 200, newest first."`
	Exports      []customerExport `json:"exports" nullable:"false"`
	RegisteredAt *time.Time       `json:"registered_at,omitempty"`
	ErasedAt     *time.Time       `json:"erased_at,omitempty"`
}

type customerExport struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}

type exportAnswer struct {
	CacheControl string `header:"Cache-Control"`
	Body         customers.Export
}

func (s *server) customerRoutes() {
	write := []apikey.Scope{apikey.CustomersWrite}
	missing := []string{customer.ErrNotFound.Code}
	register(s, route{
		id: "registerCustomer", method: http.MethodPost, path: "/v1/customers", tag: "customers", scopes: write, status: http.StatusCreated,
		summary: "Register a customer, or change how one is reached",
		about:   "The customer's id follows from the e-mail address: a customer who ordered before has it already. Everything sent is kept encrypted, apart from all else.",
		more:    map[int]string{http.StatusOK: "The customer was known."}, bodies: map[int]any{http.StatusOK: customerRecord{}},
		refuses: []string{kindKeyInvalid, domain.ErrKeyReused.Code, customer.ErrErasing.Code, customer.ErrErased.Code},
		example: map[string]any{"email": "a@example.com", "name": "A"},
	}, s.registerCustomer)
	register(s, route{
		id: "getCustomer", method: http.MethodGet, path: "/v1/customers/{id}", tag: "customers",
		scopes: []apikey.Scope{apikey.CustomersRead, apikey.CustomersWrite, apikey.OrdersRead}, status: http.StatusOK,
		summary: "Show a customer", refuses: missing,
	}, s.getCustomer)
	register(s, route{
		id: "eraseCustomer", method: http.MethodPost, path: "/v1/customers/{id}/erase", tag: "customers", scopes: write, status: http.StatusAccepted,
		summary: "Erase a customer's personal data",
		about:   "Destroys the key it is encrypted with, for good. Orders stay, with all amounts. Refused while orders are open, or something may come back of what was shipped before the rest was cancelled; one that is found open later fails the job.",
		refuses: jobRefusals(customer.ErrNotFound.Code, customer.ErrOpenOrders.Code), example: map[string]any{},
	}, s.eraseCustomer)
	register(s, route{
		id: "exportCustomer", method: http.MethodPost, path: "/v1/customers/{id}/export", tag: "customers", scopes: write, status: http.StatusAccepted,
		summary: "Put together everything known of a customer", about: "The job's result has an export_id, to be fetched below exports.",
		refuses: jobRefusals(customer.ErrNotFound.Code, customer.ErrErased.Code), example: map[string]any{},
	}, s.exportCustomer)
	register(s, route{
		id: "getCustomerExport", method: http.MethodGet, path: "/v1/customers/{id}/exports/{export_id}", tag: "customers", scopes: write, status: http.StatusOK,
		summary: "Fetch what an export put together", refuses: []string{customer.ErrNotFound.Code, customer.ErrErased.Code},
	}, s.getExport)
}

func (s *server) registerCustomer(ctx context.Context, in *registerCustomerRequest) (*customerAnswer, error) {
	meta, err := s.request(ctx, "POST /v1/customers", in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	if email, err := mail.ParseAddress(in.Body.Email); err != nil || email.Address != in.Body.Email {
		return nil, s.refuse(kindInvalid, "the request has a mistake").
			because(domain.Mistake{Pointer: "/email", Code: "invalid-email", Detail: "this is not an e-mail address"})
	}
	if a := in.Body.Address; a != nil {
		if wrong := a.mistakes("/address"); len(wrong) > 0 {
			return nil, s.refuse(kindInvalid, "nothing would arrive at this address").because(wrong...)
		}
	}
	id, err := s.api.Vault.Current(ctx, in.Body.Email)
	if err != nil {
		return nil, err
	}
	result, err := s.api.Customers.Register(ctx, meta, id, in.Body.kept())
	if err != nil {
		return nil, err
	}
	answer, err := s.customer(ctx, id)
	if err == nil && result.Revision == 0 {
		answer.Status = http.StatusCreated
	}
	return answer, err
}

func (s *server) getCustomer(ctx context.Context, in *customerRequest) (*customerAnswer, error) {
	return s.customer(ctx, in.ID)
}

func (s *server) customer(ctx context.Context, id string) (*customerAnswer, error) {
	view, err := s.api.Customers.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	state := view.Customer
	body := customerRecord{
		ID: id, Status: string(state.Status), OrderIDs: each(view.Orders, func(id string) string { return id }),
		Exports:      each(state.Exports, func(e customer.CustomerDataExported) customerExport { return customerExport{ID: e.ExportID, At: e.At} }),
		RegisteredAt: timeOrNil(state.RegisteredAt), ErasedAt: timeOrNil(state.ErasedAt),
	}
	if body.Status == "" {
		body.Status = "ordered"
	}
	if callOf(ctx).credential.May(apikey.CustomersRead, apikey.CustomersWrite) {
		if body.Contact, err = s.contactAt(ctx, view.ContactRef, state.Status); err != nil {
			return nil, err
		}
	}
	answer := &customerAnswer{Status: http.StatusOK, Body: body}
	if view.Revision != eventstore.NoStream {
		answer.ETag = etag(view.Revision)
	}
	return answer, nil
}

// contactAt reads how somebody is reached; nil where that was never said.
func (s *server) contactAt(ctx context.Context, ref string, status customer.Status) (*contact, error) {
	if status == customer.Erased {
		return &contact{Email: erased, Name: erased}, nil
	}
	var found contact
	err := s.api.Vault.Get(ctx, ref, &found)
	switch {
	case errors.Is(err, vault.ErrErased):
		return &contact{Email: erased, Name: erased}, nil
	case errors.Is(err, vault.ErrNotFound):
		return nil, nil
	}
	return &found, err
}

func (s *server) eraseCustomer(ctx context.Context, in *customerJobRequest) (*jobStartedAnswer, error) {
	if _, err := s.api.Customers.Get(ctx, in.ID); err != nil {
		return nil, err
	}
	if err := s.api.Customers.Erasable(ctx, in.ID); err != nil {
		return nil, err
	}
	return s.customerJob(ctx, in, customers.EraseKind)
}

func (s *server) exportCustomer(ctx context.Context, in *customerJobRequest) (*jobStartedAnswer, error) {
	view, err := s.api.Customers.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if view.Customer.Status == customer.Erased {
		return nil, customer.ErrErased
	}
	return s.customerJob(ctx, in, customers.ExportKind)
}

func (s *server) customerJob(ctx context.Context, in *customerJobRequest, kind string) (*jobStartedAnswer, error) {
	meta, err := s.request(ctx, "POST /v1/customers/"+in.ID+" "+kind, in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return s.startJob(ctx, meta, kind, map[string]string{customers.Param: in.ID}, in.Body)
}

func (s *server) getExport(ctx context.Context, in *exportRequest) (*exportAnswer, error) {
	document, err := s.api.Customers.Exported(ctx, in.ID, in.ExportID)
	if err != nil {
		return nil, err
	}
	answer := &exportAnswer{CacheControl: "no-store"}
	return answer, json.Unmarshal(document, &answer.Body)
}
