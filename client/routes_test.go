package client_test

import (
	"context"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/waybill-dev/waybill/client"
)

// call asks for one route.
type call func(ctx context.Context, c *client.Client) error

// elsewhere are routes without a method, by the beginning of their path, and
// why.
var elsewhere = map[string]string{
	"/healthz":                        "machines that watch ask it, without a client",
	"/v1/gateway-callbacks/{gateway}": "gateways call it",
}

// only is for methods that answer with more than an error.
func only[A any](_ A, err error) error { return err }

func calls() map[string]call {
	change := client.Change{Key: "k"}
	all := map[string]call{
		"readyz":        func(ctx context.Context, c *client.Client) error { return c.Ready(ctx) },
		"getSales":      func(ctx context.Context, c *client.Client) error { return only(c.Sales(ctx, nil)) },
		"listAPIKeys":   func(ctx context.Context, c *client.Client) error { return only(c.Keys(ctx)) },
		"issueAPIKey":   func(ctx context.Context, c *client.Client) error { return only(c.IssueKey(ctx, client.NewKey{})) },
		"revokeAPIKey":  func(ctx context.Context, c *client.Client) error { return c.RevokeKey(ctx, "i") },
		"listCheckouts": func(ctx context.Context, c *client.Client) error { return only(c.Checkouts(ctx, nil)) },
		"getCheckout":   func(ctx context.Context, c *client.Client) error { return only(c.Checkout(ctx, "i")) },
		"payCheckout": func(ctx context.Context, c *client.Client) error {
			return only(c.PayCheckout(ctx, "i", "k", client.Payment{}))
		},
		"recordCreditNote": func(ctx context.Context, c *client.Client) error {
			return only(c.RecordCreditNote(ctx, "k", client.CreditNote{}))
		},
		"registerCustomer": func(ctx context.Context, c *client.Client) error {
			return only(c.RegisterCustomer(ctx, "k", client.NewCustomer{}))
		},
		"getCustomer": func(ctx context.Context, c *client.Client) error { return only(c.Customer(ctx, "i")) },
		"eraseCustomer": func(ctx context.Context, c *client.Client) error {
			return only(c.EraseCustomer(ctx, "i", "k", client.StartJob{}))
		},
		"exportCustomer": func(ctx context.Context, c *client.Client) error {
			return only(c.ExportCustomer(ctx, "i", "k", client.StartJob{}))
		},
		"getCustomerExport": func(ctx context.Context, c *client.Client) error { return only(c.CustomerExport(ctx, "i", "j")) },
		"listDrafts":        func(ctx context.Context, c *client.Client) error { return only(c.Drafts(ctx, nil)) },
		"openDraft": func(ctx context.Context, c *client.Client) error {
			return only(c.OpenDraft(ctx, "k", client.OpenDraft{}))
		},
		"discardDraft": func(ctx context.Context, c *client.Client) error { return only(c.DiscardDraft(ctx, "i", change)) },
		"getDraft":     func(ctx context.Context, c *client.Client) error { return only(c.Draft(ctx, "i")) },
		"setDraftDetails": func(ctx context.Context, c *client.Client) error {
			return only(c.SetDraftDetails(ctx, "i", change, client.DraftDetails{}))
		},
		"removeDraftLine": func(ctx context.Context, c *client.Client) error {
			return only(c.RemoveDraftLine(ctx, "i", "s", change))
		},
		"setDraftLine": func(ctx context.Context, c *client.Client) error {
			return only(c.SetDraftLine(ctx, "i", change, client.DraftLine{SKU: "s", Quantity: 1}))
		},
		"placeDraft":           func(ctx context.Context, c *client.Client) error { return only(c.PlaceDraft(ctx, "i", change, nil)) },
		"listGatewayCallbacks": func(ctx context.Context, c *client.Client) error { return only(c.GatewayCallbacks(ctx, nil)) },
		"listJobs":             func(ctx context.Context, c *client.Client) error { return only(c.Jobs(ctx, nil)) },
		"getJob":               func(ctx context.Context, c *client.Client) error { return only(c.Job(ctx, "i")) },
		"cancelJob":            func(ctx context.Context, c *client.Client) error { return only(c.CancelJob(ctx, "i")) },
		"listOrders":           func(ctx context.Context, c *client.Client) error { return only(c.Orders(ctx, nil)) },
		"placeOrder": func(ctx context.Context, c *client.Client) error {
			return only(c.PlaceOrder(ctx, "k", client.PlaceOrder{}))
		},
		"placeOrders": func(ctx context.Context, c *client.Client) error {
			for _, err := range c.PlaceOrders(ctx, "k", one(client.PlaceOrder{})) {
				_ = err // the answer is none
			}
			return nil
		},
		"getOrderByNumber": func(ctx context.Context, c *client.Client) error { _, _, err := c.OrderByNumber(ctx, "1"); return err },
		"getOrder":         func(ctx context.Context, c *client.Client) error { _, _, err := c.Order(ctx, "i"); return err },
		"exportOrders": func(ctx context.Context, c *client.Client) error {
			return only(c.ExportOrders(ctx, "k", client.NewExport{}))
		},
		"getExportFile":   func(ctx context.Context, c *client.Client) error { return only(c.ExportFile(ctx, "i", io.Discard)) },
		"getReceipt":      func(ctx context.Context, c *client.Client) error { return only(c.Receipt(ctx, "i")) },
		"getPackingSlip":  func(ctx context.Context, c *client.Client) error { return only(c.PackingSlip(ctx, "i", "s")) },
		"getOrderAddress": func(ctx context.Context, c *client.Client) error { return only(c.OrderAddresses(ctx, "i")) },
		"getOrderContact": func(ctx context.Context, c *client.Client) error { return only(c.OrderContact(ctx, "i")) },
		"eraseOrderContact": func(ctx context.Context, c *client.Client) error {
			return only(c.EraseOrderContact(ctx, "i", "k", client.StartJob{}))
		},
		"listOrderEvents":   func(ctx context.Context, c *client.Client) error { return only(c.OrderEvents(ctx, "i", nil)) },
		"listNotes":         func(ctx context.Context, c *client.Client) error { return only(c.Notes(ctx, "i")) },
		"listOrderPayments": func(ctx context.Context, c *client.Client) error { return only(c.OrderPayments(ctx, "i")) },
		"listTasks":         func(ctx context.Context, c *client.Client) error { return only(c.Tasks(ctx, "i")) },
		"abandonTask":       func(ctx context.Context, c *client.Client) error { return c.AbandonTask(ctx, "i", "t", "k", "done") },
		"retryTask":         func(ctx context.Context, c *client.Client) error { return c.RetryTask(ctx, "i", "t", "k") },
		"getTimeline":       func(ctx context.Context, c *client.Client) error { return only(c.Timeline(ctx, "i")) },
		"streamOrder": func(ctx context.Context, c *client.Client) error {
			return only(c.FollowOrder(ctx, "i", "", func(client.OrderChange) error { return nil }))
		},
		"streamOrders": func(ctx context.Context, c *client.Client) error {
			return only(c.FollowOrders(ctx, nil, "", func(client.ListChange) error { return nil }))
		},
		"diffOrder":        func(ctx context.Context, c *client.Client) error { return only(c.OrderDiff(ctx, "i", 0, -1)) },
		"listShipments":    func(ctx context.Context, c *client.Client) error { return only(c.Shipments(ctx, nil)) },
		"listReturns":      func(ctx context.Context, c *client.Client) error { return only(c.Returns(ctx, nil)) },
		"listPayments":     func(ctx context.Context, c *client.Client) error { return only(c.Payments(ctx, nil)) },
		"listCaptures":     func(ctx context.Context, c *client.Client) error { return only(c.Captures(ctx, nil)) },
		"listRefunds":      func(ctx context.Context, c *client.Client) error { return only(c.Refunds(ctx, nil)) },
		"listReservations": func(ctx context.Context, c *client.Client) error { return only(c.Reservations(ctx, nil)) },
		"getPayment":       func(ctx context.Context, c *client.Client) error { _, _, err := c.Payment(ctx, "i"); return err },
		"listProducts":     func(ctx context.Context, c *client.Client) error { return only(c.Products(ctx, nil)) },
		"registerProduct":  func(ctx context.Context, c *client.Client) error { return c.CreateProduct(ctx, client.Product{}) },
		"getProduct":       func(ctx context.Context, c *client.Client) error { return only(c.Product(ctx, "s")) },
		"changePrice": func(ctx context.Context, c *client.Client) error {
			return only(c.ChangePrice(ctx, "s", "*", client.Price{}))
		},
		"relistProduct":   func(ctx context.Context, c *client.Client) error { return only(c.RelistProduct(ctx, "s", "*")) },
		"changeTitle":     func(ctx context.Context, c *client.Client) error { return only(c.ChangeTitle(ctx, "s", "*", "t")) },
		"withdrawProduct": func(ctx context.Context, c *client.Client) error { return only(c.WithdrawProduct(ctx, "s", "*")) },
		"listStock":       func(ctx context.Context, c *client.Client) error { return only(c.StockItems(ctx, nil)) },
		"receiveDelivery": func(ctx context.Context, c *client.Client) error { return c.ReceiveStock(ctx, "l", client.Receipt{}) },
		"getStock":        func(ctx context.Context, c *client.Client) error { return only(c.Stock(ctx, "l", "s")) },
		"setStockPolicy": func(ctx context.Context, c *client.Client) error {
			return only(c.SetStockPolicy(ctx, "l", "s", change, client.StockPolicy{}))
		},
		"adjustStock": func(ctx context.Context, c *client.Client) error {
			return only(c.AdjustStock(ctx, "l", "s", change, client.Adjustment{}))
		},
		"receiveStock": func(ctx context.Context, c *client.Client) error {
			return only(c.ReceiveItem(ctx, "l", "s", change, 1, "r"))
		},
	}
	maps.Copy(all, webhookCalls())
	maps.Copy(all, projectionCalls())
	maps.Copy(all, deadLetterCalls())
	for id, do := range changes() {
		all[id] = func(ctx context.Context, c *client.Client) error { return only(do(ctx, c, change)) }
	}
	for id, kind := range map[string]string{
		"getCapture": "captures", "getEdit": "edits", "getFulfilment": "fulfilments", "getNote": "notes", "getRefund": "refunds",
		"getReturn": "returns", "getShipment": "shipments",
	} {
		all[id] = func(ctx context.Context, c *client.Client) error { return only(c.OrderPart(ctx, "i", kind, "p")) }
	}
	return all
}

// deadLetterCalls are the routes of what side effects could not handle.
func deadLetterCalls() map[string]call {
	return map[string]call{
		"listDeadLetters": func(ctx context.Context, c *client.Client) error { return only(c.DeadLetters(ctx, nil)) },
		"getDeadLetter":   func(ctx context.Context, c *client.Client) error { return only(c.DeadLetter(ctx, "h", 1)) },
		"retryDeadLetter": func(ctx context.Context, c *client.Client) error { return only(c.RetryDeadLetter(ctx, "h", 1, "k")) },
		"retryDeadLetters": func(ctx context.Context, c *client.Client) error {
			return only(c.RetryDeadLetters(ctx, client.RetryDeadLetters{}))
		},
		"editDeadLetter": func(ctx context.Context, c *client.Client) error {
			return only(c.EditDeadLetter(ctx, "h", 1, "k", []byte("{}"), "r"))
		},
		"discardDeadLetter": func(ctx context.Context, c *client.Client) error {
			return only(c.DiscardDeadLetter(ctx, "h", 1, "k", "r"))
		},
	}
}

// projectionCalls are the routes of read models.
func projectionCalls() map[string]call {
	return map[string]call{
		"listProjections": func(ctx context.Context, c *client.Client) error { return only(c.Projections(ctx)) },
		"getProjection":   func(ctx context.Context, c *client.Client) error { return only(c.Projection(ctx, "n")) },
		"rebuildProjection": func(ctx context.Context, c *client.Client) error {
			return only(c.StartRebuild(ctx, "n", "k", client.StartRebuild{}))
		},
		"getRebuild":       func(ctx context.Context, c *client.Client) error { return only(c.Rebuild(ctx, "n")) },
		"pauseRebuild":     func(ctx context.Context, c *client.Client) error { return only(c.PauseRebuild(ctx, "n")) },
		"resumeRebuild":    func(ctx context.Context, c *client.Client) error { return only(c.ResumeRebuild(ctx, "n")) },
		"cancelRebuild":    func(ctx context.Context, c *client.Client) error { return only(c.CancelRebuild(ctx, "n")) },
		"acceptRebuild":    func(ctx context.Context, c *client.Client) error { return only(c.AcceptRebuild(ctx, "n")) },
		"revertProjection": func(ctx context.Context, c *client.Client) error { return only(c.RevertProjection(ctx, "n", "k")) },
		"listBlockedStreams": func(ctx context.Context, c *client.Client) error {
			return only(c.BlockedStreams(ctx, "n"))
		},
		"retryBlockedStream": func(ctx context.Context, c *client.Client) error {
			return only(c.RetryBlockedStream(ctx, "n", "s", true))
		},
		"editBlockedEvent": func(ctx context.Context, c *client.Client) error {
			return only(c.EditBlockedEvent(ctx, "n", client.RepairEvent{}))
		},
		"skipBlockedEvent": func(ctx context.Context, c *client.Client) error {
			return only(c.SkipBlockedEvent(ctx, "n", client.RepairEvent{}))
		},
		"listRepairs": func(ctx context.Context, c *client.Client) error { return only(c.Repairs(ctx, "n")) },
	}
}

// webhookCalls are the routes of partners.
func webhookCalls() map[string]call {
	how := client.EndpointChange{IdempotencyKey: "k"}
	about := client.Aggregate{Type: "order", ID: "i"}
	return map[string]call{
		"listPartners": func(ctx context.Context, c *client.Client) error { return only(c.Partners(ctx)) },
		"registerPartner": func(ctx context.Context, c *client.Client) error {
			return only(c.RegisterPartner(ctx, client.Partner{}))
		},
		"changePartner": func(ctx context.Context, c *client.Client) error {
			return only(c.ChangePartner(ctx, client.Partner{ID: "i"}))
		},
		"createConsoleLink": func(ctx context.Context, c *client.Client) error {
			return only(c.CreateConsoleLink(ctx, client.NewConsoleLink{}))
		},
		"listEndpoints": func(ctx context.Context, c *client.Client) error { return only(c.Endpoints(ctx)) },
		"createEndpoint": func(ctx context.Context, c *client.Client) error {
			return only(c.CreateEndpoint(ctx, client.CreateEndpoint{}))
		},
		"getEndpoint":          func(ctx context.Context, c *client.Client) error { return only(c.Endpoint(ctx, "i")) },
		"patchEndpoint":        func(ctx context.Context, c *client.Client) error { return only(c.ChangeEndpoint(ctx, "i", how, nil)) },
		"deleteEndpoint":       func(ctx context.Context, c *client.Client) error { return c.DeleteEndpoint(ctx, "i") },
		"pauseEndpoint":        func(ctx context.Context, c *client.Client) error { return only(c.PauseEndpoint(ctx, "i", how)) },
		"resumeEndpoint":       func(ctx context.Context, c *client.Client) error { return only(c.ResumeEndpoint(ctx, "i", "now", how)) },
		"enableEndpoint":       func(ctx context.Context, c *client.Client) error { return only(c.EnableEndpoint(ctx, "i", how)) },
		"verifyEndpoint":       func(ctx context.Context, c *client.Client) error { return only(c.VerifyEndpoint(ctx, "i", how)) },
		"disableEndpoint":      func(ctx context.Context, c *client.Client) error { return only(c.DisableEndpoint(ctx, "i", how)) },
		"rotateEndpointSecret": func(ctx context.Context, c *client.Client) error { return only(c.RotateSecret(ctx, "i", 0, "k")) },
		"testEndpoint":         func(ctx context.Context, c *client.Client) error { return only(c.TestEndpoint(ctx, "i", "k")) },
		"listEndpointHistory":  func(ctx context.Context, c *client.Client) error { return only(c.EndpointHistory(ctx, "i", -1)) },
		"getEndpointStatus":    func(ctx context.Context, c *client.Client) error { return only(c.EndpointStatus(ctx, "i")) },
		"getStatement":         func(ctx context.Context, c *client.Client) error { return only(c.Statement(ctx, "i")) },
		"getDelivery":          func(ctx context.Context, c *client.Client) error { return only(c.Delivery(ctx, "i", "m")) },
		"resendDelivery":       func(ctx context.Context, c *client.Client) error { return only(c.Resend(ctx, "i", "m", "k")) },
		"skipDelivery":         func(ctx context.Context, c *client.Client) error { return c.Skip(ctx, "i", "m", "k") },
		"listAttempts": func(ctx context.Context, c *client.Client) error {
			_, _, err := c.Attempts(ctx, "i", client.AttemptQuery{})
			return err
		},
		"listUndelivered": func(ctx context.Context, c *client.Client) error {
			_, _, err := c.Undelivered(ctx, "i", client.UndeliveredQuery{})
			return err
		},
		"createReplay": func(ctx context.Context, c *client.Client) error {
			return only(c.CreateReplay(ctx, "i", "k", client.NewReplay{}))
		},
		"listReplays":  func(ctx context.Context, c *client.Client) error { return only(c.Replays(ctx, "i")) },
		"getReplay":    func(ctx context.Context, c *client.Client) error { return only(c.Replay(ctx, "i", "r")) },
		"cancelReplay": func(ctx context.Context, c *client.Client) error { return c.CancelReplay(ctx, "i", "r") },
		"pullFeed":     func(ctx context.Context, c *client.Client) error { return only(c.Feed(ctx, client.FeedQuery{})) },
		"streamFeed": func(ctx context.Context, c *client.Client) error {
			return only(c.StreamFeed(ctx, client.FeedQuery{}, func(client.Message) error { return nil }))
		},
		"listEventTypes": func(ctx context.Context, c *client.Client) error { return only(c.EventTypes(ctx)) },
		"getEventType":   func(ctx context.Context, c *client.Client) error { return only(c.EventType(ctx, "t")) },
		"previewFilter": func(ctx context.Context, c *client.Client) error {
			return only(c.PreviewFilter(ctx, "i", client.PreviewFilter{}))
		},
		"listAggregateEvents": func(ctx context.Context, c *client.Client) error { return only(c.AggregateEvents(ctx, about, 0, "")) },
		"getEvent":            func(ctx context.Context, c *client.Client) error { return only(c.Event(ctx, "m", about, 1)) },
		"listSigningKeys":     func(ctx context.Context, c *client.Client) error { return only(c.SigningKeys(ctx)) },
		"rotateSigningKey": func(ctx context.Context, c *client.Client) error {
			return only(c.RotateSigningKey(ctx, time.Hour, "k"))
		},
		"listEgressAddresses": func(ctx context.Context, c *client.Client) error { return only(c.EgressAddresses(ctx)) },
	}
}

// changes are the routes that change an order.
func changes() map[string]func(context.Context, *client.Client, client.Change) (client.Changed, error) {
	type changed = client.Changed
	return map[string]func(context.Context, *client.Client, client.Change) (changed, error){
		"changeAddress": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.ChangeAddress(ctx, "i", how, client.Address{})
		},
		"cancelOrder": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.CancelOrder(ctx, "i", how, "late")
		},
		"captureOrder": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.CaptureOrder(ctx, "i", how, client.CaptureOrder{})
		},
		"payOrder": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.PayOrder(ctx, "i", how, client.Payment{})
		},
		"editOrder": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.EditOrder(ctx, "i", how, client.EditOrder{})
		},
		"requestFulfilment": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.RequestFulfilment(ctx, "i", how, client.RequestFulfilment{})
		},
		"holdOrder": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.HoldOrder(ctx, "i", how, client.HoldOrder{})
		},
		"addNote": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.AddNote(ctx, "i", how, client.Note{})
		},
		"refundOrder": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.RefundOrder(ctx, "i", how, client.Refund{})
		},
		"releaseOrder": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.ReleaseOrder(ctx, "i", how, "")
		},
		"requestReturn": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.RequestReturn(ctx, "i", how, client.RequestReturn{})
		},
		"receiveReturn": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.ReceiveReturn(ctx, "i", "p", how, client.ReceiveReturn{})
		},
		"rejectReturn": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.RejectReturn(ctx, "i", "p", how, "late")
		},
		"shipOrder": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.ShipOrder(ctx, "i", how, client.ShipOrder{})
		},
		"markDelivered": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.MarkDelivered(ctx, "i", "p", how, time.Time{})
		},
		"failShipment": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.FailShipment(ctx, "i", "p", how, "lost")
		},
		"tagOrder": func(ctx context.Context, c *client.Client, how client.Change) (changed, error) {
			return c.TagOrder(ctx, "i", how, client.Tags{})
		},
	}
}

func one[T any](value T) iter.Seq[T] { return func(yield func(T) bool) { yield(value) } }

// routes are those of the API's description, by their name.
func routes(t *testing.T) map[string][2]string {
	t.Helper()
	content, err := os.ReadFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string `yaml:"operationId"`
		} `yaml:"paths"`
	}
	if err := yaml.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	all := map[string][2]string{}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			all[operation.OperationID] = [2]string{strings.ToUpper(method), path}
		}
	}
	return all
}

// Every route of the API has a method here that asks for it, or a reason why
// not.
func TestEveryRouteHasAMethod(t *testing.T) {
	t.Parallel()
	all, known := routes(t), calls()
	if len(all) < 60 {
		t.Fatalf("only %d routes are described", len(all))
	}
	for id, route := range all {
		do, there := known[id]
		if !there {
			if !slices.ContainsFunc(keys(elsewhere), func(prefix string) bool { return strings.HasPrefix(route[1], prefix) }) {
				t.Errorf("%s %s (%s) has no method; write one, or say in elsewhere why not", route[0], route[1], id)
			}
			continue
		}
		reached := false
		mux := http.NewServeMux()
		mux.HandleFunc(route[0]+" "+route[1], func(http.ResponseWriter, *http.Request) { reached = true })
		server := httptest.NewServer(mux)
		c := client.New(server.URL, "key")
		if err := do(t.Context(), c); err != nil || !reached {
			t.Errorf("the method for %s %s (%s) reaches it: %t, %v", route[0], route[1], id, reached, err)
		}
		c.Close()
		server.Close()
	}
	for id := range known {
		if _, there := all[id]; !there {
			t.Errorf("there is no route %s any more", id)
		}
	}
}

func keys(m map[string]string) (all []string) {
	for key := range m {
		all = append(all, key)
	}
	return all
}
