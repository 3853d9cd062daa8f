package api_test

import (
	"testing"

	"github.com/waybill-dev/waybill/client"
)

// What the client decodes is what the API answers.
func TestClientReadsWhatIsAnswered(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	ctx := t.Context()
	must := func(what string, right bool, err error) {
		t.Helper()
		if err != nil || !right {
			t.Errorf("%s: %v", what, err)
		}
	}
	home := client.Address{Line1: "1 High Street", City: "Leeds", Country: "GB"}
	ada := client.Customer{Email: "ada@example.com", Name: "Ada"}

	record, err := c.RegisterCustomer(ctx, "register", client.NewCustomer{Customer: ada, Address: &home})
	must("register", record.ID != "" && record.Status == "registered", err)
	record, err = c.Customer(ctx, record.ID)
	must("customer", record.Contact != nil && record.Contact.Name == "Ada" && record.Contact.Address.City == "Leeds", err)

	draft, err := c.OpenDraft(ctx, "open", client.OpenDraft{Currency: "EUR", Lines: []client.DraftLine{{SKU: "MUG-1", Quantity: 1}}})
	must("draft", draft.Status == "open" && draft.ETag != "", err)
	draft, err = c.SetDraftLine(ctx, draft.ID, client.Change{IfMatch: draft.ETag}, client.DraftLine{SKU: "MUG-1", Quantity: 2})
	must("line", len(draft.Lines) == 1 && draft.Lines[0].Quantity == 2, err)
	draft, err = c.SetDraftDetails(ctx, draft.ID, client.Change{}, client.DraftDetails{Customer: &ada, ShipTo: &home, PaymentMethod: "sandbox:approved"})
	must("details", draft.Customer != nil && draft.Customer.Email == ada.Email && draft.Preview != nil, err)
	placed, err := c.PlaceDraft(ctx, draft.ID, client.Change{Key: "place"}, nil)
	must("place", placed.ID != "" && placed.Number != "", err)
	draft, err = c.Draft(ctx, draft.ID)
	must("placed draft", draft.Status == "placed" && draft.OrderID == placed.ID, err)

	checkout, err := c.Checkout(ctx, draft.CheckoutID)
	must("checkout", checkout.Status == "completed" && checkout.OrderID == placed.ID && checkout.Payment.Attempt == 1, err)
	addresses, err := c.OrderAddresses(ctx, placed.ID)
	must("addresses", addresses.ShipTo != nil && addresses.ShipTo.Line1 == home.Line1 && addresses.BillTo == nil, err)
	contact, err := c.OrderContact(ctx, placed.ID)
	must("contact", contact.CustomerID != "" && contact.Email == ada.Email, err)
	events, err := c.OrderEvents(ctx, placed.ID, nil)
	must("events", len(events.Events) == 1 && events.Events[0].Type == "OrderPlaced" && len(events.Events[0].Data) > 0, err)

	level, err := c.ReceiveItem(ctx, "main", "MUG-1", client.Change{}, 3, "more")
	must("receive", level.OnHand == 13, err)
	level, err = c.AdjustStock(ctx, "main", "MUG-1", client.Change{Key: "adjust"}, client.Adjustment{Delta: -1, Reason: "damaged"})
	must("adjust", level.OnHand == 12, err)
	_, err = c.SetStockPolicy(ctx, "main", "MUG-1", client.Change{}, client.StockPolicy{Policy: "backorder", BackorderLimit: 5})
	must("policy", true, err)

	issued, err := c.IssueKey(ctx, client.NewKey{Name: "shop", Scopes: []string{"orders:read"}})
	must("issue", issued.Key != "", err)
	must("revoke", true, c.RevokeKey(ctx, issued.ID))
	listed, err := c.Keys(ctx)
	must("keys", len(listed) == 1 && listed[0].Name == "shop", err)
}
