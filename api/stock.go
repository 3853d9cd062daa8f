package api

import (
	"context"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	inventory "github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/requestkey"
)

// receiptWorkers is how many items of one receipt are received at once.
const receiptWorkers = 16

type receiveRequest struct {
	Location       string `path:"location" doc:"Where the goods are; main is the usual one." example:"main"`
	SKU            string `path:"sku" example:"MUG-1"`
	IdempotencyKey string `header:"Idempotency-Key" doc:"Stands for ref where there is none. Another body under the key is refused."`
	IfMatch        string `header:"If-Match" doc:"Optional: the entity tag the item is to have. A delivery that was received before is harmless whatever it says."`
	Body           receiveBody
}

type receiveBody struct {
	Quantity int    `json:"quantity" doc:"How many units arrived, at least 1." example:"10"`
	Ref      string `json:"ref,omitempty" doc:"Names the delivery: the same one twice counts once." maxLength:"255"`
}

type policyRequest struct {
	Location string `path:"location" example:"main"`
	SKU      string `path:"sku" example:"MUG-1"`
	IfMatch  string `header:"If-Match" doc:"Optional: the entity tag the policy was decided on."`
	Body     policyBody
}

type policyBody struct {
	Policy         string `json:"policy" enum:"deny,backorder" doc:"What happens when all units are promised." example:"backorder"`
	BackorderLimit int    `json:"backorder_limit,omitempty" minimum:"0" maximum:"1000000000" doc:"Units that may be promised beyond those on hand." example:"20"`
}

type adjustRequest struct {
	Location       string `path:"location" example:"main"`
	SKU            string `path:"sku" example:"MUG-1"`
	IdempotencyKey string `header:"Idempotency-Key" doc:"Stands for ref where there is none; one of the two is required. Another body under the key is refused."`
	IfMatch        string `header:"If-Match" doc:"Optional: the entity tag of what was counted."`
	Body           adjustBody
}

type adjustBody struct {
	Delta  int    `json:"delta" doc:"Units found, or lost if negative; not 0." example:"-2"`
	Reason string `json:"reason" doc:"A word of small letters, digits, - and _, with at most 4 digits." maxLength:"64" example:"damaged"`
	Ref    string `json:"ref,omitempty" doc:"Names the correction: the same one twice counts once." maxLength:"255"`
}

type stockAnswer struct {
	ETag     string `header:"ETag"`
	Position string `header:"X-Write-Position" doc:"Of the receipt in the log: the list of stock takes it as min_position."`
	Body     stockBody
}

type stockBody struct {
	SKU       string `json:"sku" example:"MUG-1"`
	Location  string `json:"location" example:"main"`
	OnHand    int64  `json:"on_hand" doc:"Received and not shipped."`
	Reserved  int64  `json:"reserved" doc:"Set aside for checkouts."`
	Committed int64  `json:"committed" doc:"Of orders, and not shipped."`
	Available int64  `json:"available" doc:"May still be promised. Less than 0 where more is promised than there is."`
}

func stockBodyOf(s stock.State) stockBody {
	return stockBody{
		SKU: s.SKU, Location: s.Location, OnHand: int64(s.OnHand), Reserved: int64(s.Reserved),
		Committed: int64(s.Committed), Available: int64(s.Available()),
	}
}

type stockItemAnswer struct {
	ETag     string `header:"ETag"`
	Position string `header:"X-Write-Position" doc:"Of the change in the log: the list of stock takes it as min_position."`
	Body     stockItemBody
}

type stockItemBody struct {
	stockBody
	Policy         string `json:"policy" enum:"deny,backorder" example:"deny"`
	BackorderLimit int64  `json:"backorder_limit"`
	Shortfall      int64  `json:"shortfall" doc:"Units that are promised and will not be there."`
}

func stockItemOf(s stock.State) stockItemBody {
	return stockItemBody{
		stockBody: stockBodyOf(s), Policy: string(s.Policy), BackorderLimit: int64(s.BackorderLimit), Shortfall: int64(max(-s.Available(), 0)),
	}
}

type stockReadAnswer struct {
	Status int
	ETag   string `header:"ETag"`
	Body   stockItemBody
}

type receiptRequest struct {
	Location       string `path:"location" doc:"Where the goods are; main is the usual one." example:"main"`
	IdempotencyKey string `header:"Idempotency-Key" doc:"Stands for ref where there is none. Another body under the key is refused."`
	Body           receiptBody
}

type receiptBody struct {
	Ref   string            `json:"ref,omitempty" doc:"Names the delivery: the same one twice counts once." maxLength:"255"`
	Lines []receiptLineBody `json:"lines" nullable:"false" minItems:"1" maxItems:"2000"`
}

type receiptLineBody struct {
	SKU      string `json:"sku" example:"MUG-1"`
	Quantity int    `json:"quantity" doc:"How many units arrived, at least 1." example:"10"`
}

type stockListAnswer struct {
	Body stockListBody
}

type stockListBody struct {
	Items []stockBody `json:"items" nullable:"false"`
}

type stockRequest struct {
	Location    string `path:"location" example:"main"`
	SKU         string `path:"sku" example:"MUG-1"`
	IfNoneMatch string `header:"If-None-Match"`
}

func readers() []apikey.Scope {
	return []apikey.Scope{apikey.CatalogWrite, apikey.StockWrite, apikey.OrdersRead, apikey.OrdersWrite, apikey.OrdersImport}
}

func (s *server) stockRoutes() {
	write := []apikey.Scope{apikey.StockWrite, apikey.OrdersImport}
	refuses := []string{stock.ErrInvalid.Code, stock.ErrIDReused.Code, kindKeyInvalid, domain.ErrKeyReused.Code, kindConflict}
	register(s, route{
		id: "receiveStock", method: http.MethodPost, path: "/v1/stock/{location}/{sku}/receive", tag: "stock", scopes: write, status: http.StatusOK,
		summary: "Receive units of one SKU", about: "Its product may be registered later: until then it cannot be ordered.", refuses: append(refuses, handlers.ErrRevision.Code), example: map[string]any{"quantity": 10},
	}, s.receiveStock)
	register(s, route{
		id: "receiveDelivery", method: http.MethodPost, path: "/v1/stock/{location}/receipts", tag: "stock", scopes: write, status: http.StatusOK,
		summary: "Receive units of several SKUs",
		about:   "Each SKU is received by itself: after an error some may have been. Send the same delivery again, with its ref, to receive the rest and nothing twice.",
		refuses: refuses, example: map[string]any{"ref": "delivery-17", "lines": []any{map[string]any{"sku": "MUG-1", "quantity": 10}}},
	}, s.receiveDelivery)
	changes := []string{stock.ErrInvalid.Code, handlers.ErrRevision.Code, kindConflict}
	register(s, route{
		id: "setStockPolicy", method: http.MethodPut, path: "/v1/stock/{location}/{sku}", tag: "stock", scopes: write, status: http.StatusOK,
		summary: "Say how much of a SKU may be promised", about: "What was promised before stays promised: where that is more than is allowed then, shortfall says how many, and the newest orders are held. An item that is not known yet is set up.",
		refuses: changes, example: map[string]any{"policy": "backorder", "backorder_limit": 20},
	}, s.setStockPolicy)
	register(s, route{
		id: "adjustStock", method: http.MethodPost, path: "/v1/stock/{location}/{sku}/adjust", tag: "stock", scopes: write, status: http.StatusOK,
		summary: "Correct how many units are on hand",
		about:   "After a count, a loss or a find. Where fewer are left than are promised, shortfall says how many, and the newest orders are held.",
		refuses: append(changes, stock.ErrIDReused.Code, kindKeyMissing, kindKeyInvalid, domain.ErrKeyReused.Code), example: map[string]any{"delta": -2, "reason": "damaged", "ref": "count-7"},
	}, s.adjustStock)
	register(s, route{
		id: "getStock", method: http.MethodGet, path: "/v1/stock/{location}/{sku}", tag: "stock", scopes: readers(), status: http.StatusOK,
		summary: "Show how much there is of a SKU", refuses: []string{kindNotFound}, more: notModified(),
	}, s.getStock)
}

func (s *server) receiveStock(ctx context.Context, in *receiveRequest) (*stockAnswer, error) {
	ref, err := s.ref(in.Body.Ref, in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	_, err = stock.Decider.Decide(stock.State{}, stock.Receive{Location: in.Location, SKU: in.SKU, Quantity: in.Body.Quantity, Ref: ref})
	if err == nil {
		err = s.useKey(ctx, "POST /v1/stock/"+in.Location+"/"+in.SKU+"/receive", in.IdempotencyKey)
	}
	var receipt inventory.Receipt
	if err == nil {
		receipt, err = s.receive(ctx, inventory.Item{Location: in.Location, SKU: in.SKU}, in.Body.Quantity, ref, in.IfMatch)
	}
	if err != nil {
		return nil, s.inPath(err, "location", "sku")
	}
	return &stockAnswer{ETag: etag(receipt.Revision), Position: positionText(receipt.Position), Body: stockBodyOf(receipt.State)}, nil
}

// ref names a delivery. One without a name is one of its own.
func (s *server) ref(ref, key string) (string, error) {
	switch {
	case ref != "":
		return ref, nil
	case key == "":
		return s.api.NewID(), nil
	}
	return key, s.checkKey(key)
}

// useKey takes a caller's key for what is named after something else, once it is
// clear that nothing is wrong with the request: another body under the key is
// refused.
func (s *server) useKey(ctx context.Context, what, key string) error {
	if key == "" {
		return nil
	}
	meta, err := s.keyed(ctx, what, key)
	if err != nil {
		return err
	}
	return requestkey.Use(ctx, s.api.Store, meta)
}

// receive derives the command from the delivery, so that it is the same one
// whoever repeats it.
func (s *server) receive(ctx context.Context, item inventory.Item, quantity int, ref, match string) (inventory.Receipt, error) {
	meta := callOf(ctx).metadata()
	meta.CommandID = eventstore.DeriveID("receive", tenant, item.Location, item.SKU, ref)
	meta.CorrelationID = meta.CommandID
	return s.handleStock(ctx, meta, item, match, stock.Receive{Location: item.Location, SKU: item.SKU, Quantity: quantity, Ref: ref})
}

// handleStock does a command, at a revision where If-Match names one.
func (s *server) handleStock(
	ctx context.Context, meta eventstore.Metadata, item inventory.Item, match string, command stock.Command,
) (inventory.Receipt, error) {
	if expected, named := ifMatch(match); named {
		return s.api.Stock.HandleAt(ctx, meta, item, expected, command)
	}
	return s.api.Stock.Handle(ctx, meta, item, command)
}

func (s *server) receiveDelivery(ctx context.Context, in *receiptRequest) (*stockListAnswer, error) {
	ref, err := s.ref(in.Body.Ref, in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	if err := s.checkDelivery(in); err != nil {
		return nil, err
	}
	if err := s.useKey(ctx, "POST /v1/stock/"+in.Location+"/receipts", in.IdempotencyKey); err != nil {
		return nil, err
	}
	levels := make([]stockBody, len(in.Body.Lines))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(receiptWorkers)
	for i, line := range in.Body.Lines {
		group.Go(func() error {
			receipt, err := s.receive(ctx, inventory.Item{Location: in.Location, SKU: line.SKU}, line.Quantity, ref, "")
			levels[i] = stockBodyOf(receipt.State)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return &stockListAnswer{Body: stockListBody{Items: levels}}, nil
}

// checkDelivery finds what is wrong with any line before one is received.
func (s *server) checkDelivery(in *receiptRequest) error {
	var mistakes []domain.Mistake
	seen := map[string]bool{}
	for i, line := range in.Body.Lines {
		at := fmt.Sprintf("/lines/%d", i)
		if seen[line.SKU] {
			mistakes = append(mistakes, domain.Mistake{Pointer: at + "/sku", Code: "duplicate", Detail: "another line is of the same SKU: add the two up"})
		}
		seen[line.SKU] = true
		_, err := stock.Decider.Decide(stock.State{}, stock.Receive{Location: in.Location, SKU: line.SKU, Quantity: line.Quantity, Ref: "any"})
		for _, m := range mistakesOf(err) {
			if m.Pointer != "/location" { // every line has the same
				m.Pointer = at + m.Pointer
			} else if i > 0 {
				continue
			}
			mistakes = append(mistakes, m)
		}
	}
	if len(mistakes) > 0 {
		return s.inPath(stock.ErrInvalid.Because(mistakes...), "location")
	}
	return nil
}

func (s *server) setStockPolicy(ctx context.Context, in *policyRequest) (*stockItemAnswer, error) {
	meta, err := s.command(ctx, "stock-policy", "")
	if err != nil {
		return nil, err
	}
	item := inventory.Item{Location: in.Location, SKU: in.SKU}
	return s.changeStock(ctx, meta, item, in.IfMatch, stock.SetPolicy{
		Location: in.Location, SKU: in.SKU, Policy: stock.Policy(in.Body.Policy), BackorderLimit: in.Body.BackorderLimit,
	})
}

// adjustStock derives the command from the reference, as [server.receive] does.
func (s *server) adjustStock(ctx context.Context, in *adjustRequest) (*stockItemAnswer, error) {
	ref := in.Body.Ref
	if ref == "" {
		ref = in.IdempotencyKey
		if err := s.checkKey(ref); err != nil {
			return nil, err
		}
	}
	item := inventory.Item{Location: in.Location, SKU: in.SKU}
	adjust := stock.Adjust{Delta: in.Body.Delta, Reason: in.Body.Reason, Ref: ref}
	if err := wellFormed(item, adjust); err != nil {
		return nil, s.inPath(err, "location", "sku")
	}
	if err := s.useKey(ctx, "POST /v1/stock/"+in.Location+"/"+in.SKU+"/adjust", in.IdempotencyKey); err != nil {
		return nil, err
	}
	meta := callOf(ctx).metadata()
	meta.CommandID = eventstore.DeriveID("adjust", tenant, in.Location, in.SKU, ref)
	return s.changeStock(ctx, meta, item, in.IfMatch, adjust)
}

// wellFormed refuses a correction that no item would take.
func wellFormed(item inventory.Item, adjust stock.Adjust) error {
	received, err := stock.Decider.Decide(stock.State{}, stock.Receive{Location: item.Location, SKU: item.SKU, Quantity: stock.MaxReceived, Ref: "any"})
	if err == nil {
		_, err = stock.Decider.Decide(stock.Decider.Fold(stock.State{}, received...), adjust)
	}
	return err
}

func (s *server) changeStock(
	ctx context.Context, meta eventstore.Metadata, item inventory.Item, match string, command stock.Command,
) (*stockItemAnswer, error) {
	meta.CorrelationID = meta.CommandID
	if !domain.ValidLocation(item.Location) || !domain.ValidSKU(item.SKU) {
		_, err := stock.Decider.Decide(stock.State{}, stock.Register{Location: item.Location, SKU: item.SKU, Policy: stock.Deny})
		return nil, s.inPath(err, "location", "sku")
	}
	receipt, err := s.handleStock(ctx, meta, item, match, command)
	if err != nil {
		return nil, s.inPath(err, "location", "sku")
	}
	return &stockItemAnswer{ETag: etag(receipt.Revision), Position: positionText(receipt.Position), Body: stockItemOf(receipt.State)}, nil
}

// getStock folds what came after the last time it was asked: a popular item has
// a long stream.
func (s *server) getStock(ctx context.Context, in *stockRequest) (*stockReadAnswer, error) {
	id := stock.ID(in.Location, in.SKU)
	snapshot, cached := s.stock.Get(id)
	if !cached {
		snapshot.Revision = eventstore.NoStream
	}
	state, revision, err := eventstore.Resume(ctx, s.api.Store, stock.Decider, id, snapshot)
	if err != nil {
		return nil, err
	}
	if !state.Known() {
		return nil, s.refuse(kindNotFound, "nothing of this SKU was ever received at this location")
	}
	s.stock.Add(id, eventstore.Snapshot[stock.State]{State: state, Revision: revision})
	answer := &stockReadAnswer{Status: http.StatusOK, ETag: etag(revision), Body: stockItemOf(state)}
	if noneMatch(in.IfNoneMatch, answer.ETag) {
		answer.Status = http.StatusNotModified
	}
	return answer, nil
}
