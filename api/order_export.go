package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/handlers/exports"
)

type orderExportRequest struct {
	Fresh

	IdempotencyKey string `header:"Idempotency-Key" doc:"Optional: the same key and body again is the same job."`
	Body           orderExportBody
}

// orderExportBody says which orders, and how.
type orderExportBody struct {
	Format       string             `json:"format,omitempty" enum:"csv,ndjson,parquet" default:"csv" doc:"The form of the file."`
	Filter       *orderExportFilter `json:"filter,omitempty" doc:"As of GET /v1/orders; missing is everything."`
	PersonalData bool               `json:"personal_data,omitempty" doc:"Add e-mail address, name, phone and address of who ordered: for the scope customers:read."`
	Callback     *callbackBody      `json:"callback,omitempty" doc:"Where the end of the job is to be told."`
}

type orderExportFilter struct {
	Status         string     `json:"status,omitempty" maxLength:"40"`
	PaymentStatus  string     `json:"payment_status,omitempty" maxLength:"40"`
	CustomerID     string     `json:"customer_id,omitempty" maxLength:"200"`
	SKU            string     `json:"sku,omitempty" maxLength:"64"`
	Tag            string     `json:"tag,omitempty" maxLength:"200"`
	ExternalSource string     `json:"external_source,omitempty" maxLength:"200"`
	PlacedFrom     *time.Time `json:"placed_from,omitempty" doc:"This time included."`
	PlacedTo       *time.Time `json:"placed_to,omitempty" doc:"This time excluded; at the latest when the export is asked for."`
}

func (f *orderExportFilter) filter() exports.Filter {
	if f == nil {
		return exports.Filter{}
	}
	return exports.Filter{
		Status: f.Status, PaymentStatus: f.PaymentStatus, CustomerID: f.CustomerID, SKU: f.SKU, Tag: f.Tag, ExternalSource: f.ExternalSource,
		PlacedFrom: given(f.PlacedFrom), PlacedTo: given(f.PlacedTo),
	}
}

type exportFileRequest struct {
	ID string `path:"id" doc:"Id of the job." maxLength:"200"`
}

func (s *server) orderExportRoutes() {
	read := []apikey.Scope{apikey.OrdersRead}
	register(s, route{
		id: "exportOrders", method: http.MethodPost, path: "/v1/exports", tag: "orders", scopes: read, status: http.StatusAccepted,
		summary: "Write many orders into one file",
		about: "A long job: its result has the href of the file, which is kept for a day. The orders are those placed before the export was asked for, the oldest first; amounts are minor units. " +
			"It survives restarts and can be cancelled. An order of this moment may be missing, unless min_position waits for it.",
		refuses: jobRefusals(exports.ErrInvalid.Code, kindBehind), example: map[string]any{"format": "csv", "filter": map[string]any{"status": "shipped"}},
	}, s.exportOrders)
	file := route{
		id: "getExportFile", method: http.MethodGet, path: "/v1/exports/{id}/file", tag: "orders", scopes: read, status: http.StatusOK,
		summary: "Fetch the file of an export",
		about:   "Only for the API key that asked for it, and scope admin; a file with personal data for the scope customers:read.",
		refuses: []string{job.ErrNotFound.Code, exports.ErrNotYet.Code, exports.ErrGone.Code},
	}
	register(s, file, s.exportFile)
	binary := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	s.operationAt(file.method, file.path).Responses["200"].Content = map[string]*huma.MediaType{
		exports.CSV.MediaType(): {Schema: &huma.Schema{Type: huma.TypeString}}, exports.Parquet.MediaType(): {Schema: binary},
		exports.NDJSON.MediaType(): {Schema: s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[exports.Order](), true, "")},
	}
}

func (s *server) exportOrders(ctx context.Context, in *orderExportRequest) (*jobStartedAnswer, error) {
	if in.Body.PersonalData && !callOf(ctx).credential.May(apikey.CustomersRead) {
		return nil, s.refuse(kindForbidden, "personal data needs the scope customers:read").
			because(domain.Mistake{Pointer: "/personal_data", Code: "forbidden", Detail: "the key may not read personal data"}).
			with("scopes", []apikey.Scope{apikey.CustomersRead})
	}
	if _, err := s.await(ctx, s.api.Orders.DB, in.Fresh); err != nil {
		return nil, err
	}
	meta, err := s.request(ctx, "POST /v1/exports", in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	params := exports.Params(in.Body.Filter.filter(), exports.Format(in.Body.Format), in.Body.PersonalData)
	return s.startJob(ctx, meta, exports.Kind, params, &startJobBody{Callback: in.Body.Callback})
}

// exportFile shows a file to whoever may see its job.
func (s *server) exportFile(ctx context.Context, in *exportFileRequest) (*huma.StreamResponse, error) {
	found, err := s.job(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if found.State.Kind != exports.Kind {
		return nil, job.ErrNotFound
	}
	if found.State.Status != job.Succeeded {
		return nil, exports.ErrNotYet.With("status", string(found.State.Status))
	}
	file, err := s.api.Exports.File(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if file.Personal && !callOf(ctx).credential.May(apikey.CustomersRead) {
		return nil, s.refuse(kindForbidden, "the file has personal data, which needs the scope customers:read").with("scopes", []apikey.Scope{apikey.CustomersRead})
	}
	return &huma.StreamResponse{Body: func(out huma.Context) {
		out.SetHeader("Content-Type", file.Format.MediaType())
		out.SetHeader("Content-Disposition", `attachment; filename="orders-`+in.ID+`.`+string(file.Format)+`"`)
		out.SetHeader("Cache-Control", "no-store")
		out.SetStatus(http.StatusOK)
		if err := s.api.Exports.Copy(ctx, file, out.BodyWriter()); err != nil {
			s.api.Logger.WarnContext(ctx, "the file of an export was not sent whole", "job", in.ID, "error", err)
			panic(http.ErrAbortHandler) // the caller must not take it for whole
		}
	}}, nil
}
