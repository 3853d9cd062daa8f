// Package api is the HTTP interface: each route decodes, asks for one command
// or one query, and encodes. It promises that every refusal is a problem
// document with a type that explains itself, that every mistake in a request
// is named at once, and that repeating a request with its Idempotency-Key does
// nothing twice. It must not decide anything: rules are the domain's.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/catalog"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/creditnotes"
	"github.com/waybill-dev/waybill/handlers/customers"
	"github.com/waybill-dev/waybill/handlers/drafts"
	"github.com/waybill-dev/waybill/handlers/effects/deadletters"
	"github.com/waybill-dev/waybill/handlers/effects/receipt"
	"github.com/waybill-dev/waybill/handlers/exports"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
	"github.com/waybill-dev/waybill/handlers/gatewaycallbacks"
	"github.com/waybill-dev/waybill/handlers/jobs"
	"github.com/waybill-dev/waybill/handlers/orders"
	"github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/projections"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/callback"
)

// API is what the routes need.
type API struct {
	Config Config
	Store  eventstore.Store
	// Feed and End are the log's, for who follows changes.
	Feed        func(eventstore.FeedConfig) *eventstore.Feed
	End         func(context.Context) (eventstore.Position, error)
	Keys        *access.Keys
	Catalogue   *catalog.Catalog
	Stock       *stock.Writer
	CreditNotes creditnotes.Recorder
	Checkouts   *checkout.Service
	Changes     *orders.Service
	Documents   *receipt.Service
	Exports     *exports.Service
	Payer       *fulfilment.Service // pays orders that were placed
	Vault       *vault.Vault        // names customers; the checkout keeps their data in it
	Customers   *customers.Service
	Drafts      *drafts.Service
	Jobs        *jobs.Service
	Callbacks   *callback.Sender // seals and derives their secrets
	// GatewayCallbacks takes what payment gateways tell; CallbackList is the
	// read model of what could not be applied.
	GatewayCallbacks *gatewaycallbacks.Service
	CallbackList     projections.GatewayCallbackQueries
	// Orders, Timeline, Levels, Products and OpenList are read models: they may be behind.
	Orders     projections.OrderQueries
	Timeline   projections.TimelineQueries
	Levels     projections.StockQueries
	Products   projections.ProductQueries
	Tasks      projections.TaskQueries // a read model too
	Sales      projections.SalesQueries
	Payments   projections.PaymentQueries
	Search     projections.SearchQueries
	JobList    projections.JobQueries
	DraftList  projections.DraftQueries
	OpenList   projections.CheckoutQueries
	Endpoints  *webhooks.Endpoints
	Deliveries *webhooks.Dispatcher
	// SigningKeys sign webhooks; Egress are the networks they come from.
	SigningKeys SigningKeys
	Egress      []string
	Messages    *webhooks.Messages
	Replays     *webhooks.Replays

	// DeadLetters are what handlers of side effects put aside, Effects the sorted
	// names of those there may be.
	DeadLetters *deadletters.Desk
	Effects     []string

	// ReadModels are what all read models are run by.
	ReadModels *projections.Set

	Checks  []Check      // what /readyz looks at
	Metrics http.Handler // of /metrics; nil has no such route
	// CursorKey signs cursors and the fingerprints of requests: the same in
	// every process and, for repeats are recognised by it, for ever.
	CursorKey []byte
	// TraceID names the trace of a request; nil leaves it out of problems.
	TraceID func(context.Context) string
	Streams StreamLimits
	// Stopping ends when streams have to; nil is never.
	Stopping context.Context //nolint:containedctx // it is a signal
	Logger   *slog.Logger
	Now      func() time.Time
	NewID    func() string
}

// Handler returns the handler of every route. Call it once.
func (a *API) Handler() http.Handler { return newServer(a) }

func (s *server) routes() {
	s.productRoutes()
	s.productListRoutes()
	s.stockRoutes()
	s.stockListRoutes()
	s.placeRoutes()
	s.bulkRoutes()
	s.orderReadRoutes()
	s.orderDocumentRoutes()
	s.orderExportRoutes()
	s.orderEventRoutes()
	s.orderPartRoutes()
	s.orderLifeRoutes()
	s.orderGoodsRoutes()
	s.orderMoneyRoutes()
	s.orderCaptureRoutes()
	s.orderPayRoutes()
	s.paymentRoutes()
	s.orderEditRoutes()
	s.orderListRoutes()
	s.checkoutListRoutes()
	s.gatewayCallbackRoutes()
	s.orderDiffRoutes()
	s.orderChangeRoutes()
	s.partListRoutes()
	s.paymentListRoutes()
	s.reservationListRoutes()
	s.timelineRoutes()
	s.taskRoutes()
	s.salesRoutes()
	s.creditNoteRoutes()
	s.endpointRoutes()
	s.signingKeyRoutes()
	s.egressRoutes()
	s.eventTypeRoutes()
	s.messageRoutes()
	s.replayRoutes()
	s.feedRoutes()
	s.draftRoutes()
	s.customerRoutes()
	s.jobRoutes()
	s.keyRoutes()
	s.partnerRoutes()
	s.consoleLinkRoutes()
	s.projectionRoutes()
	s.deadLetterRoutes()
	s.healthRoutes()
}
