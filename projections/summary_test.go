package projections_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/projections"
)

// The summaries of the golden events, which hold a value in every field.
func TestEveryEventHasASummary(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for folder, types := range map[string][]domain.EventType{"order": order.EventTypes(), "checkout": checkout.EventTypes(), "payment": payment.EventTypes()} {
		for _, e := range types {
			name := e.Zero.EventName()
			data, err := os.ReadFile(filepath.Join("..", "domain", folder, "testdata", fmt.Sprintf("%s.v%d.json", name, e.Schema())))
			if err != nil {
				t.Fatal(err)
			}
			got[name] = summaryOf(t, e, data)
			var secret map[string]any
			if err := json.Unmarshal(data, &secret); err != nil {
				t.Fatal(err)
			}
			for _, field := range []string{"message", "carrier", "tracking", "url", "contact_ref", "ship_to_ref", "customer_id", "text_ref"} {
				if text, _ := secret[field].(string); text != "" && strings.Contains(got[name], text) {
					t.Errorf("%s tells its %s: %s", name, field, got[name])
				}
			}
		}
	}
	file := filepath.Join("testdata", "summaries.json")
	written, _ := json.MarshalIndent(got, "", "  ")
	want, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		t.Fatalf("%s is missing; it would be\n%s", file, written)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(want)), string(written)); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}
}

func summaryOf(t *testing.T, e domain.EventType, data []byte) string {
	t.Helper()
	h := newHistory(t)
	text, err := projections.Summary(h.codec, e, data)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
