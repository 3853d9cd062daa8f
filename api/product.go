package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	products "github.com/waybill-dev/waybill/handlers/catalog"
	"github.com/waybill-dev/waybill/projections"
)

type registerProductRequest struct {
	Body registerProductBody
}

type registerProductBody struct {
	SKU    string      `json:"sku" doc:"1 to 64 letters, digits, spaces and signs of -_.+:" example:"MUG-1"`
	Title  string      `json:"title" doc:"1 to 500 bytes." example:"Mug"`
	Prices []priceBody `json:"prices" nullable:"false" doc:"1 to 200, one for a currency and region."`
}

type priceBody struct {
	Amount   int64  `json:"amount" doc:"In minor units: cents, pence, yen." example:"1250"`
	Currency string `json:"currency" doc:"ISO 4217." example:"EUR"`
	Region   string `json:"region,omitempty" doc:"A country, ISO 3166: this is the price of orders that go there. Without it, of all others." example:"DE"`
}

func priceBodyOf(p catalog.Price) priceBody {
	return priceBody{Amount: p.Amount, Currency: p.Currency, Region: p.Region}
}

func (b priceBody) domain() catalog.Price {
	return catalog.Price{Money: domain.Money{Amount: b.Amount, Currency: b.Currency}, Region: b.Region}
}

type changePriceRequest struct {
	SKU     string `path:"sku" example:"MUG-1"`
	IfMatch string `header:"If-Match" doc:"Optional: the entity tag the price was decided on."`
	Body    priceBody
}

type changeTitleRequest struct {
	SKU     string `path:"sku" example:"MUG-1"`
	IfMatch string `header:"If-Match" doc:"Optional: the entity tag the title was decided on."`
	Body    titleBody
}

type titleBody struct {
	Title string `json:"title" doc:"1 to 500 bytes." example:"Big mug"`
}

type listingRequest struct {
	SKU     string `path:"sku" example:"MUG-1"`
	IfMatch string `header:"If-Match" doc:"Optional: the entity tag it was decided on."`
}

type productRequest struct {
	SKU         string `path:"sku" example:"MUG-1"`
	IfNoneMatch string `header:"If-None-Match"`
}

type productAnswer struct {
	Status   int
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Position string `header:"X-Write-Position" doc:"Of the change in the log: the list of products takes it as min_position."`
	Body     productBody
}

type productBody struct {
	SKU    string      `json:"sku" example:"MUG-1"`
	Title  string      `json:"title" example:"Mug"`
	Status string      `json:"status" enum:"active,withdrawn" doc:"What is withdrawn cannot be ordered." example:"active"`
	Prices []priceBody `json:"prices" nullable:"false"`
}

func (s *server) productRoutes() {
	write := []apikey.Scope{apikey.CatalogWrite}
	register(s, route{
		id: "registerProduct", method: http.MethodPost, path: "/v1/products", tag: "catalogue", scopes: write, status: http.StatusCreated,
		summary: "Register a product", about: "Repeating it with the same content is harmless, even after a change. It does not list a withdrawn product again.",
		more:    map[int]string{http.StatusOK: "The product was registered before, with the same content."},
		bodies:  map[int]any{http.StatusOK: productBody{}},
		refuses: []string{catalog.ErrInvalid.Code, catalog.ErrExists.Code, kindConflict},
		example: map[string]any{"sku": "MUG-1", "title": "Mug", "prices": []any{map[string]any{"amount": 1250, "currency": "EUR"}}},
	}, s.registerProduct)
	register(s, route{
		id: "getProduct", method: http.MethodGet, path: "/v1/products/{sku}", tag: "catalogue", scopes: readers(), status: http.StatusOK,
		summary: "Show a product", refuses: []string{catalog.ErrUnknown.Code}, more: notModified(),
	}, s.getProduct)
	s.productChangeRoutes(write)
}

func (s *server) productChangeRoutes(write []apikey.Scope) {
	refuses := []string{catalog.ErrUnknown.Code, handlers.ErrRevision.Code, kindConflict}
	register(s, route{
		id: "changePrice", method: http.MethodPut, path: "/v1/products/{sku}/price", tag: "catalogue", scopes: write, status: http.StatusOK,
		summary: "Set the price for a currency and region", about: "Checkouts that were begun keep their prices.",
		refuses: append(refuses, catalog.ErrInvalid.Code),
		example: map[string]any{"amount": 1350, "currency": "EUR"},
	}, s.changePrice)
	register(s, route{
		id: "changeTitle", method: http.MethodPut, path: "/v1/products/{sku}/title", tag: "catalogue", scopes: write, status: http.StatusOK,
		summary: "Set the title", about: "Orders keep the title they were placed with.",
		refuses: append(refuses, catalog.ErrInvalid.Code),
		example: map[string]any{"title": "Big mug"},
	}, s.changeTitle)
	register(s, route{
		id: "withdrawProduct", method: http.MethodPost, path: "/v1/products/{sku}/withdraw", tag: "catalogue", scopes: write, status: http.StatusOK,
		summary: "Stop orders of a product", about: "What is ordered already goes on, and so do checkouts that were begun. Orders that came about elsewhere may still have it.",
		refuses: refuses,
	}, s.withdrawProduct)
	register(s, route{
		id: "relistProduct", method: http.MethodPost, path: "/v1/products/{sku}/relist", tag: "catalogue", scopes: write, status: http.StatusOK,
		summary: "Let a withdrawn product be ordered again", about: "At the prices it has.", refuses: refuses,
	}, s.relistProduct)
}

func (s *server) registerProduct(ctx context.Context, in *registerProductRequest) (*productAnswer, error) {
	meta, err := s.command(ctx, "product", "")
	if err != nil {
		return nil, err
	}
	result, err := s.api.Catalogue.Register(ctx, meta, catalog.Register{
		SKU: in.Body.SKU, Title: in.Body.Title, Prices: each(in.Body.Prices, priceBody.domain), At: s.api.Now().UTC(),
	})
	if err != nil {
		return nil, err
	}
	answer := productAnswerOf(result.State, result.Revision)
	answer.Position = positionText(result.Position)
	if len(result.Events) > 0 {
		answer.Status, answer.Location = http.StatusCreated, "/v1/products/"+url.PathEscape(result.State.SKU)
	}
	return answer, nil
}

func (s *server) changePrice(ctx context.Context, in *changePriceRequest) (*productAnswer, error) {
	return s.changeProduct(ctx, in.SKU, in.IfMatch, catalog.ChangePrice{SKU: in.SKU, Price: in.Body.domain(), At: s.api.Now().UTC()})
}

func (s *server) changeTitle(ctx context.Context, in *changeTitleRequest) (*productAnswer, error) {
	return s.changeProduct(ctx, in.SKU, in.IfMatch, catalog.ChangeTitle{SKU: in.SKU, Title: in.Body.Title, At: s.api.Now().UTC()})
}

func (s *server) withdrawProduct(ctx context.Context, in *listingRequest) (*productAnswer, error) {
	return s.changeProduct(ctx, in.SKU, in.IfMatch, catalog.Withdraw{SKU: in.SKU, At: s.api.Now().UTC()})
}

func (s *server) relistProduct(ctx context.Context, in *listingRequest) (*productAnswer, error) {
	return s.changeProduct(ctx, in.SKU, in.IfMatch, catalog.Relist{SKU: in.SKU, At: s.api.Now().UTC()})
}

func (s *server) changeProduct(ctx context.Context, sku, match string, command catalog.Command) (*productAnswer, error) {
	meta, err := s.command(ctx, "product", "")
	if err != nil {
		return nil, err
	}
	var result products.Result
	if expected, named := ifMatch(match); named {
		result, err = s.api.Catalogue.ChangeAt(ctx, expected, meta, sku, command)
	} else {
		result, err = s.api.Catalogue.Change(ctx, meta, sku, command)
	}
	if err != nil {
		return nil, err
	}
	answer := productAnswerOf(result.State, result.Revision)
	answer.Position = positionText(result.Position)
	return answer, nil
}

func (s *server) getProduct(ctx context.Context, in *productRequest) (*productAnswer, error) {
	state, revision, err := eventstore.Load(ctx, s.api.Store, catalog.Decider, in.SKU)
	if err != nil {
		return nil, err
	}
	if !state.Known() {
		return nil, catalog.ErrUnknown.With("sku", in.SKU)
	}
	answer := productAnswerOf(state, revision)
	if noneMatch(in.IfNoneMatch, answer.ETag) {
		answer.Status = http.StatusNotModified
	}
	return answer, nil
}

func productAnswerOf(s catalog.State, r eventstore.Revision) *productAnswer {
	status := projections.ProductStatusActive
	if s.Withdrawn {
		status = projections.ProductStatusWithdrawn
	}
	return &productAnswer{
		Status: http.StatusOK, ETag: etag(r),
		Body: productBody{SKU: s.SKU, Title: s.Title, Status: string(status), Prices: each(s.Prices, priceBodyOf)},
	}
}
