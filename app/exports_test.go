package app_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/waybill-dev/waybill/handlers/effects/analytics"
)

// TestAnExportOfTheWholeProgram places an order, exports it with whom it is for,
// and erases who ordered.
func TestAnExportOfTheWholeProgram(t *testing.T) {
	t.Parallel()
	files := t.TempDir()
	p := startPrivate(t, "--analytics-dir", files, "--analytics-every", "50ms")
	p.must(http.MethodPost, "/v1/products", `{"sku": "MUG-1", "title": "Mug", "prices": [{"amount": 1250, "currency": "EUR"}]}`)
	p.must(http.MethodPost, "/v1/stock/main/MUG-1/receive", `{"quantity": 10}`)
	placed := p.must(http.MethodPost, "/v1/orders", `{"customer": {"email": "zoe@example.com", "name": "Zoë"}, "currency": "EUR",
		"ship_to": {"line1": "1 High Street", "city": "Leeds", "country": "GB"}, "lines": [{"sku": "MUG-1", "quantity": 2}], "payment": {"method": "sandbox:approved"}}`)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, _, raw := p.ask(http.MethodGet, "/v1/orders", ""); strings.Contains(raw, placed["id"].(string)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the order is not listed")
		}
	}
	begun := p.must(http.MethodPost, "/v1/exports", `{"format": "ndjson", "personal_data": true, "filter": {"sku": "MUG-1"}}`)
	path := "/v1/jobs/" + begun["id"].(string)
	deadline := time.Now().Add(time.Minute)
	for {
		state := p.must(http.MethodGet, path, "")
		if state["status"] == "succeeded" {
			break
		}
		if state["status"] != "running" || time.Now().After(deadline) {
			t.Fatalf("%v", state)
		}
		time.Sleep(20 * time.Millisecond)
	}
	status, row, raw := p.ask(http.MethodGet, "/v1/exports/"+begun["id"].(string)+"/file", "")
	if status != http.StatusOK || row["order_id"] != placed["id"] || row["total"] != 2500.0 || row["ship_to_country"] != "GB" ||
		!strings.Contains(raw, `"email":"zoe@example.com","name":"Zoë"`) || !strings.Contains(raw, "1 High Street, Leeds, GB") {
		t.Errorf("%d: %s", status, raw)
	}
	if status, _, raw := p.ask(http.MethodGet, "/v1/orders/"+placed["id"].(string)+"/receipt.pdf", ""); status != http.StatusOK || !strings.HasPrefix(raw, "%PDF-") {
		t.Errorf("the receipt: %d", status)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if placed := exported(t, files)["OrderPlaced"]; placed == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the files have %v", exported(t, files))
		}
	}
	if all := exported(t, files); all["ProductRegistered"] != 1 || all["JobStarted"] != 0 {
		t.Errorf("the files have %v", all)
	}
}

// exported counts the events in files, by type.
func exported(t *testing.T, dir string) map[string]int {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "day=*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	for _, path := range paths {
		rows, err := parquet.ReadFile[analytics.Row](path)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			all[row.Type]++
		}
	}
	return all
}
