package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
)

func TestSalesAreAddedUp(t *testing.T) {
	t.Parallel()
	p := shop(t, 20)
	o := p.ordered()
	p.ordered()
	o.captured(3750)
	o.tell(order.RequestRefund{RefundID: "r1", Amount: eur(250), Reason: "late"})
	o.tell(order.CompleteRefund{RefundID: "r1", Amount: eur(250)})
	now := time.Now().UTC()
	days := "?from=" + now.AddDate(0, 0, -1).Format(time.DateOnly) + "&to=" + now.AddDate(0, 0, 1).Format(time.DateOnly)
	path := "/v1/analytics/sales" + days
	sum := func(query string) (items []any) {
		t.Helper()
		items, _ = p.get(path + query).expect(http.StatusOK).json()["items"].([]any)
		return items
	}
	refunded := func() bool {
		items := sum("&group_by=country,sku")
		return len(items) == 1 && items[0].(map[string]any)["refunds"].(map[string]any)["amount"] == 250.0
	}
	eventually(t, "the refund counts", refunded)
	item := sum("&group_by=country,sku")[0].(map[string]any)
	if item["orders"] != 2.0 || item["units"] != 6.0 || item["sku"] != "MUG-1" || item["country"] != "" || item["day"] != nil ||
		item["net"].(map[string]any)["amount"] != 7250.0 || item["gross"].(map[string]any)["currency"] != "EUR" {
		t.Errorf("%v", item)
	}
	if items := sum("&currency=GBP"); len(items) != 0 {
		t.Errorf("of another currency: %v", items)
	}
	if items := sum(""); items[0].(map[string]any)["day"] == nil || items[0].(map[string]any)["country"] != nil {
		t.Errorf("by day: %v", items)
	}
	if p.get(path).header.Get("X-Read-Position") == "" {
		t.Error("nobody says how far it is")
	}
	placed := p.place("another", `{"customer": {"email": "b@example.com", "name": "B"}, "currency": "EUR", "ship_to": {"country": "GB"},
		"lines": [{"sku": "MUG-1", "quantity": 1}], "payment": {"method": "sandbox:approved"}}`).expect(http.StatusCreated)
	fresh := path + "&group_by=country&limit=1&min_position=" + placed.header.Get("X-Write-Position")
	first := p.get(fresh).expect(http.StatusOK).json()
	cursor, _ := first["next_cursor"].(string)
	second := p.get(fresh + "&cursor=" + cursor).expect(http.StatusOK).json()
	if items := second["items"].([]any); cursor == "" || len(items) != 1 || items[0].(map[string]any)["country"] != "GB" || second["next_cursor"] != nil {
		t.Errorf("the second page: %v", second)
	}
	p.get(path+"&group_by=day&cursor="+cursor).problem(http.StatusBadRequest, "bad-cursor")
	for _, query := range []string{
		"", "?from=2026-01-01", "?from=2026-01-02&to=2026-01-01", "?from=2026-01-01&to=2036-03-01", "?from=2026-02-30&to=2026-03-01",
		"?from=2026-01-01&to=soon", days + "&group_by=week", days + "&group_by=day,day", days + "&currency=euro", days + "&limit=0",
	} {
		p.get("/v1/analytics/sales"+query).problem(http.StatusUnprocessableEntity, "invalid-request")
	}
	p.do(request{method: http.MethodGet, path: path, key: p.key(apikey.StockWrite)}).problem(http.StatusForbidden, "forbidden")
}
