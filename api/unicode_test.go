package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/domain/apikey"
)

// What is not Unicode is refused, and not read as if it were the same as
// anything else that is not.
func TestTextThatIsNotUnicodeIsRefused(t *testing.T) {
	t.Parallel()
	p := start(t)
	for name, row := range map[string]struct {
		title  string
		status int
	}{
		"Latin-1":                  {"caf\xe9", http.StatusBadRequest},
		"half of a pair":           {`cup \ud83d`, http.StatusBadRequest},
		"the other half":           {`cup \ude00 \u00e9`, http.StatusBadRequest},
		"an overlong form":         {"cup \xc0\xaf", http.StatusBadRequest},
		"a pair":                   {`cup \ud83d\ude00`, http.StatusCreated},
		"a character by a code":    {`caf\u00e9`, http.StatusCreated},
		"a character by itself":    {"café 😀", http.StatusCreated},
		"a backslash, and no code": {`cup \\ud83d`, http.StatusCreated},
	} {
		got := p.post("/v1/products", fmt.Sprintf(`{"sku": "S-%x", "title": "%s", "prices": [{"amount": 1250, "currency": "EUR"}]}`, name, row.title))
		if got.status != row.status {
			t.Errorf("%s: %d, want %d: %s", name, got.status, row.status, got.body)
		}
		if row.status == http.StatusBadRequest {
			got.problem(row.status, "malformed-request")
		}
	}
}

// Two orders whose names elsewhere differ in what cannot be read are not one.
func TestLinesThatAreNotUnicodeAreNoRepeats(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	line := func(ref string) string {
		return `{"external": {"source": "till", "ref": "` + ref + `", "time": "2010-12-01T08:26:00Z"}, "currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 1}], "payment": {"method": "sandbox:approved"}}`
	}
	body := "\xef\xbb\xbf" + line("n1") + "\r\n" + line("n\xe9") + "\r\n" + line("n\xe8") + "\n" + line(`n\ud800`) + "\n" + line("né")
	got := p.do(request{method: http.MethodPost, path: "/v1/orders/bulk", body: body, key: p.key(apikey.OrdersImport), header: map[string]string{"Content-Type": "application/x-ndjson"}})
	var statuses []string
	for answer := range strings.Lines(string(got.body)) {
		status, _, _ := strings.Cut(strings.SplitAfter(answer, `"status":`)[1], ",")
		statuses = append(statuses, status)
	}
	if want := "201 400 400 400 201"; strings.Join(statuses, " ") != want {
		t.Errorf("%v, want %s: %s", statuses, want, got.body)
	}
}
