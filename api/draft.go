package api

import (
	"context"
	"errors"
	"net/http"
	"net/mail"
	"net/url"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/drafts"
	"github.com/waybill-dev/waybill/vault"
)

type openDraftRequest struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Optional: the same key and body again is the same draft."`
	Body           openDraftBody
}

type openDraftBody struct {
	Currency string          `json:"currency" doc:"Of the whole order: ISO 4217." maxLength:"64" example:"EUR"`
	Lines    []draftLineBody `json:"lines,omitempty" nullable:"false" doc:"At most 2,000, one for each SKU." maxItems:"4000"`

	DraftDetailsBody
}

type draftLineBody struct {
	SKU string `json:"sku" maxLength:"128" example:"MUG-1"`

	DraftUnitsBody
}

// DraftUnitsBody is how many units of a SKU are wanted, and what the shop takes
// off and on for them. It is exported because huma looks into nothing else.
type DraftUnitsBody struct {
	Quantity int    `json:"quantity" doc:"1 to 9,999." example:"2"`
	Discount *money `json:"discount,omitempty" doc:"Off the whole line; nothing if missing."`
	Tax      *money `json:"tax,omitempty" doc:"On the whole line, after its discount; nothing if missing."`
}

func (b DraftUnitsBody) line(sku string) draft.Line {
	line := draft.Line{SKU: sku, Quantity: b.Quantity}
	if b.Discount != nil {
		line.Discount = b.Discount.domain()
	}
	if b.Tax != nil {
		line.Tax = b.Tax.domain()
	}
	return line
}

func draftLineBodyOf(l draft.Line) draftLineBody {
	body := draftLineBody{SKU: l.SKU, DraftUnitsBody: DraftUnitsBody{Quantity: l.Quantity}}
	if l.Discount != (domain.Money{}) {
		body.Discount = new(moneyOf(l.Discount))
	}
	if l.Tax != (domain.Money{}) {
		body.Tax = new(moneyOf(l.Tax))
	}
	return body
}

// DraftDetailsBody is who a draft is for, how it will be paid, and what the shop
// takes and takes off beside its lines. Customer and address are personal data.
// It is exported because huma looks into nothing else.
type DraftDetailsBody struct {
	Customer      *draftCustomerBody `json:"customer,omitempty" doc:"Who orders. A draft can be placed once it is said."`
	ShipTo        *address           `json:"ship_to,omitempty" doc:"Where the goods go; only with customer."`
	BillTo        *address           `json:"bill_to,omitempty" doc:"Where the invoice goes; only with customer."`
	PaymentMethod string             `json:"payment_method,omitempty" doc:"The gateway's name and its reference for the method, never the number of a card." maxLength:"128" example:"sandbox:approved"`

	ChargesBody
}

type draftCustomerBody struct {
	Email string `json:"email" doc:"Kept encrypted, apart from the draft." maxLength:"320" example:"a@example.com"`
	Name  string `json:"name,omitempty" doc:"Kept encrypted, apart from the draft." maxLength:"200" example:"A"`
	Phone string `json:"phone,omitempty" doc:"Kept encrypted, apart from the draft." maxLength:"64"`

	Language string `json:"language,omitempty" maxLength:"35" pattern:"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$" doc:"As in POST /v1/orders." example:"de-AT"`
}

// DraftHeaders is exported because huma looks into nothing else.
type DraftHeaders struct {
	IfMatch string `header:"If-Match" doc:"Required: the draft's entity tag that the change was decided on, or * for whatever it is now."`
}

type draftRequest struct {
	ID string `path:"id" doc:"Id of the draft."`
}

type discardDraftRequest struct {
	ID string `path:"id" doc:"Id of the draft."`
	DraftHeaders
}

type draftDetailsRequest struct {
	ID string `path:"id" doc:"Id of the draft."`
	DraftHeaders

	Body DraftDetailsBody
}

type draftLineRequest struct {
	ID  string `path:"id" doc:"Id of the draft."`
	SKU string `path:"sku" example:"MUG-1"`
	DraftHeaders

	Body DraftUnitsBody
}

type removeDraftLineRequest struct {
	ID  string `path:"id" doc:"Id of the draft."`
	SKU string `path:"sku" example:"MUG-1"`
	DraftHeaders
}

type draftAnswer struct {
	Status   int
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Replayed string `header:"Idempotency-Replayed" doc:"true where this is the answer to an earlier request."`
	Body     draftBody
}

func (s *server) draftRoutes() {
	write := []apikey.Scope{apikey.OrdersWrite}
	change := []string{
		kindPrecondition, handlers.ErrRevision.Code, kindConflict, draft.ErrNotFound.Code, draft.ErrInvalid.Code,
		draft.ErrPlacing.Code, draft.ErrPlaced.Code, draft.ErrDiscarded.Code,
	}
	person := []string{customer.ErrErasing.Code, customer.ErrErased.Code}
	register(s, route{
		id: "openDraft", method: http.MethodPost, path: "/v1/drafts", tag: "drafts", scopes: write, status: http.StatusCreated,
		summary: "Begin a draft of an order", about: "Nothing is reserved or paid until it is placed.",
		more: map[int]string{http.StatusOK: "It was made before, with the same content."}, bodies: map[int]any{http.StatusOK: draftBody{}},
		refuses: append([]string{kindKeyInvalid, domain.ErrKeyReused.Code, draft.ErrInvalid.Code, kindConflict}, person...),
		example: map[string]any{
			"currency": "EUR", "lines": []any{map[string]any{"sku": "MUG-1", "quantity": 2}}, "customer": map[string]any{"email": "a@example.com"},
		},
	}, s.openDraft)
	register(s, route{
		id: "getDraft", method: http.MethodGet, path: "/v1/drafts/{id}", tag: "drafts", scopes: []apikey.Scope{apikey.OrdersRead, apikey.OrdersWrite}, status: http.StatusOK,
		summary: "Show a draft, with present prices", about: "Customer and address are shown to the scopes customers:read and customers:write.", refuses: []string{draft.ErrNotFound.Code},
	}, s.getDraft)
	register(s, route{
		id: "discardDraft", method: http.MethodDelete, path: "/v1/drafts/{id}", tag: "drafts", scopes: write, status: http.StatusOK,
		summary: "Throw a draft away", refuses: change,
	}, s.discardDraft)
	register(s, route{
		id: "setDraftLine", method: http.MethodPut, path: "/v1/drafts/{id}/lines/{sku}", tag: "drafts", scopes: write, status: http.StatusOK,
		summary: "Say how many units of a SKU are wanted", refuses: change, example: map[string]any{"quantity": 2},
	}, s.setDraftLine)
	register(s, route{
		id: "removeDraftLine", method: http.MethodDelete, path: "/v1/drafts/{id}/lines/{sku}", tag: "drafts", scopes: write, status: http.StatusOK,
		summary: "Take a SKU out of a draft", refuses: change,
	}, s.removeDraftLine)
	register(s, route{
		id: "setDraftDetails", method: http.MethodPut, path: "/v1/drafts/{id}/details", tag: "drafts", scopes: write, status: http.StatusOK,
		summary: "Say who a draft is for, how it will go and be paid", about: "Replaces all of it. Customer and address are kept encrypted, apart from the draft.",
		refuses: append(person, change...), example: map[string]any{"customer": map[string]any{"email": "a@example.com"}, "payment_method": "sandbox:approved"},
	}, s.setDraftDetails)
	s.draftListRoutes()
	s.draftPlaceRoutes()
}

func (s *server) openDraft(ctx context.Context, in *openDraftRequest) (*draftAnswer, error) {
	meta, err := s.request(ctx, "POST /v1/drafts", in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	details, data, err := s.draftDetails(ctx, in.Body.DraftDetailsBody)
	if err != nil {
		return nil, err
	}
	result, again, err := s.api.Drafts.Open(ctx, meta, draft.OpenDraft{
		Currency: in.Body.Currency, Details: details,
		Lines: each(in.Body.Lines, func(l draftLineBody) draft.Line { return l.line(l.SKU) }),
	}, data)
	answer, err := s.shownDraft(ctx, result, err)
	if err != nil {
		return nil, err
	}
	answer.Location = draftPath(result.State.DraftID)
	if answer.Status = http.StatusCreated; again {
		answer.Status, answer.Replayed = http.StatusOK, replayed
	}
	return answer, nil
}

// draftDetails divides what is said of a draft into what may stand in events and
// what must not.
func (s *server) draftDetails(ctx context.Context, body DraftDetailsBody) (draft.Details, drafts.Personal, error) {
	details, data := draft.Details{PaymentMethod: body.PaymentMethod, Channel: body.Channel}, drafts.Personal{}
	details.Shipping, details.Discounts = body.draftCharges()
	if wrong := body.mistakes(); len(wrong) > 0 {
		return details, data, draft.ErrInvalid.Because(wrong...)
	}
	c := body.Customer
	if c == nil {
		return details, data, nil
	}
	var err error
	if data.Subject, err = s.api.Vault.Current(ctx, c.Email); err != nil {
		return details, data, err
	}
	data.Contact = vault.Contact{Email: c.Email, Name: c.Name, Phone: c.Phone, Language: c.Language}
	if body.ShipTo != nil {
		data.ShipTo, details.ShipToCountry = vault.Address(*body.ShipTo), body.ShipTo.Country
	}
	if body.BillTo != nil {
		data.BillTo = vault.Address(*body.BillTo)
	}
	return details, data, nil
}

// mistakes says what is wrong with who a draft is for.
func (b DraftDetailsBody) mistakes() (wrong []domain.Mistake) {
	if c := b.Customer; c != nil {
		if found, err := mail.ParseAddress(c.Email); err != nil || found.Address != c.Email {
			wrong = append(wrong, domain.Mistake{Pointer: "/customer/email", Code: "invalid-email", Detail: "this is not an e-mail address"})
		}
	} else if b.ShipTo != nil || b.BillTo != nil {
		wrong = append(wrong, domain.Mistake{Pointer: "/customer", Code: "required", Detail: "an address is somebody's: say who the draft is for"})
	}
	if b.ShipTo != nil {
		wrong = append(wrong, b.ShipTo.mistakes("/ship_to")...)
	}
	if b.BillTo != nil {
		wrong = append(wrong, b.BillTo.mistakes("/bill_to")...)
	}
	return wrong
}

func (s *server) getDraft(ctx context.Context, in *draftRequest) (*draftAnswer, error) {
	result, err := s.api.Drafts.Get(ctx, in.ID)
	return s.shownDraft(ctx, result, err)
}

// changeDraft lets a draft decide a command that is meant for a revision.
func (s *server) changeDraft(ctx context.Context, id string, h DraftHeaders, command draft.Command) (*draftAnswer, error) {
	expected, meta, err := s.meantFor(ctx, h)
	if err != nil {
		return nil, err
	}
	result, err := s.api.Drafts.Do(ctx, id, meta, expected, command)
	return s.shownDraft(ctx, result, err)
}

func (s *server) meantFor(ctx context.Context, h DraftHeaders) (*eventstore.Revision, eventstore.Metadata, error) {
	if h.IfMatch == "" {
		return nil, eventstore.Metadata{}, s.refuse(kindPrecondition, "send the header If-Match with the draft's entity tag, or * for whatever it is now")
	}
	meta, err := s.command(ctx, "", "")
	if expected, named := ifMatch(h.IfMatch); named {
		return &expected, meta, err
	}
	return nil, meta, err
}

func (s *server) discardDraft(ctx context.Context, in *discardDraftRequest) (*draftAnswer, error) {
	return s.changeDraft(ctx, in.ID, in.DraftHeaders, draft.Discard{Reason: draft.Requested, At: s.api.Now().UTC()})
}

func (s *server) setDraftLine(ctx context.Context, in *draftLineRequest) (*draftAnswer, error) {
	answer, err := s.changeDraft(ctx, in.ID, in.DraftHeaders, draft.SetLine{Line: in.Body.line(in.SKU), At: s.api.Now().UTC()})
	if errors.Is(err, draft.ErrInvalid) {
		err = s.inPath(err, "sku")
	}
	return answer, err
}

func (s *server) removeDraftLine(ctx context.Context, in *removeDraftLineRequest) (*draftAnswer, error) {
	return s.changeDraft(ctx, in.ID, in.DraftHeaders, draft.RemoveLine{SKU: in.SKU, At: s.api.Now().UTC()})
}

func (s *server) setDraftDetails(ctx context.Context, in *draftDetailsRequest) (*draftAnswer, error) {
	expected, meta, err := s.meantFor(ctx, in.DraftHeaders)
	if err != nil {
		return nil, err
	}
	details, data, err := s.draftDetails(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	result, err := s.api.Drafts.SetDetails(ctx, in.ID, meta, expected, details, data)
	return s.shownDraft(ctx, result, err)
}

// draftPath is the address of a draft.
func draftPath(id string) string { return "/v1/drafts/" + url.PathEscape(id) }
