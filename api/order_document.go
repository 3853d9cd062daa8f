package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects/receipt"
	"github.com/waybill-dev/waybill/handlers/orders"
)

// OrderDocument is exported because huma looks into nothing else.
type OrderDocument struct {
	ID       string `path:"id" doc:"Id of the order."`
	Revision string `query:"revision" pattern:"^[0-9]{1,18}$" doc:"The document as it was at this revision of the order: the number in its ETag then."`
}

type packingSlipRequest struct {
	OrderDocument

	ShipmentID string `query:"shipment_id" maxLength:"200" doc:"Of the parcel. Without it the slip lists everything that is ordered."`
}

type pdfAnswer struct {
	ContentType  string `header:"Content-Type"`
	Disposition  string `header:"Content-Disposition"`
	CacheControl string `header:"Cache-Control"`
	Revision     string `header:"Order-Revision" doc:"Of the order: the last one that changed the document."`
	Body         []byte
}

func (s *server) orderDocumentRoutes() {
	about := " It is made once for each revision of the order that changes it, and is the same bytes for ever. " +
		"Name and addresses are there for keys with the scope customers:read, and gone once they were erased."
	documents := []route{
		{
			id: "getReceipt", path: "/v1/orders/{id}/receipt.pdf", summary: "Fetch the receipt of an order",
			about: "A PDF with lines, tax by rate, what was paid back, and a QR code that leads to the order." + about,
		},
		{
			id: "getPackingSlip", path: "/v1/orders/{id}/packing-slip.pdf", summary: "Fetch the packing slip of an order or of one parcel",
			about: "A PDF without prices." + about,
		},
	}
	for i := range documents {
		documents[i].method, documents[i].tag, documents[i].scopes, documents[i].status = http.MethodGet, "orders", []apikey.Scope{apikey.OrdersRead}, http.StatusOK
		documents[i].refuses = []string{orders.ErrNotFound.Code, orders.ErrFuture.Code}
	}
	register(s, documents[0], func(ctx context.Context, in *OrderDocument) (*pdfAnswer, error) {
		return s.document(ctx, receipt.Asked{Kind: receipt.Receipt, OrderID: in.ID}, in.Revision)
	})
	documents[1].refuses = append(documents[1].refuses, receipt.ErrUnknownShipment.Code)
	register(s, documents[1], func(ctx context.Context, in *packingSlipRequest) (*pdfAnswer, error) {
		return s.document(ctx, receipt.Asked{Kind: receipt.PackingSlip, OrderID: in.ID, ShipmentID: in.ShipmentID}, in.Revision)
	})
	for _, r := range documents {
		s.operationAt(r.method, r.path).Responses["200"].Content = map[string]*huma.MediaType{
			"application/pdf": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}
	}
}

func (s *server) document(ctx context.Context, asked receipt.Asked, revision string) (*pdfAnswer, error) {
	if n, err := strconv.ParseInt(revision, 10, 64); err == nil {
		at := eventstore.Revision(n)
		asked.Revision = &at
	}
	asked.Anonymous = !callOf(ctx).credential.May(apikey.CustomersRead)
	d, err := s.api.Documents.Get(ctx, asked)
	if err != nil {
		return nil, err
	}
	return &pdfAnswer{
		ContentType: "application/pdf", Disposition: `inline; filename="` + d.Name + `"`, CacheControl: "no-store",
		Revision: strconv.FormatInt(int64(d.Revision), 10), Body: d.PDF,
	}, nil
}
