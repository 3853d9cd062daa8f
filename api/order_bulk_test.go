package api_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/domain/apikey"
)

const lines = "application/x-ndjson"

func (p *platform) bulk(key, body string) answer {
	p.t.Helper()
	header := map[string]string{"Content-Type": lines}
	if key != "" {
		header["Idempotency-Key"] = key
	}
	return p.do(request{method: http.MethodPost, path: "/v1/orders/bulk", body: body, header: header})
}

// summaries are the lines of an answer in short.
func (a answer) summaries() []string {
	a.t.Helper()
	if got := a.expect(200).header.Get("Content-Type"); got != lines {
		a.t.Errorf("Content-Type %q", got)
	}
	var all []string
	for line := range bytes.Lines(a.body) {
		var r client.PlacedLine
		if err := json.Unmarshal(line, &r); err != nil {
			a.t.Fatalf("%v: %s", err, line)
		}
		all = append(all, summary(r))
	}
	return all
}

func summary(r client.PlacedLine) string {
	text := fmt.Sprint(r.Line, " ", r.Status)
	if r.Problem != nil {
		text += " " + r.Problem.Type[strings.LastIndex(r.Problem.Type, "/")+1:]
	}
	if r.Replayed {
		text += " replayed"
	}
	return text
}

// imported is a line of an order that came about elsewhere.
func imported(ref string, quantity int) string {
	return fmt.Sprintf(`{"external": {"source": "old-shop", "ref": %q, "time": "2010-12-01T08:26:00Z"}, "currency": "EUR", `+
		`"lines": [{"sku": "MUG-1", "quantity": %d}], "payment": {"method": "sandbox:approved"}}`, ref, quantity)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestEachOfManyOrdersIsPlacedOrRefusedByItself(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	body := strings.Join([]string{
		imported("1", 1), "{", "", imported("2", 2), `{"currency": "EUR", "linse": []}`, imported("3", 100), oneLine(cart(1, "declined")), "null",
		oneLine(cart(1, "error")), strings.Replace(imported("4", 1), `"quantity": 1`, `"quantity": 9223372036854775808`, 1), imported("1", 1),
	}, "\r\n")
	want := []string{
		"1 201", "2 400 malformed-request", "4 201", "5 422 invalid-request", "6 409 out-of-stock", "7 402 payment-declined", "8 422 invalid-request",
		"9 202", "10 422 invalid-request", "11 201 replayed",
	}
	if diff := cmp.Diff(want, p.bulk("k1", body).summaries()); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if level := p.level(); level["committed"] != 3.0 {
		t.Errorf("stock after three units were ordered: %v", level)
	}
	again := p.bulk("k1", body).summaries()
	for n, line := range map[int]string{0: "1 201 replayed", 2: "4 201 replayed", 4: "6 409 out-of-stock replayed", 5: "7 402 payment-declined replayed", 9: "11 201 replayed"} {
		if again[n] != line {
			t.Errorf("repeated: %q, want %q", again[n], line)
		}
	}
	other := p.bulk("k2", imported("2", 1)+"\n"+oneLine(cart(1, "approved")))
	if diff := cmp.Diff([]string{"1 422 idempotency-key-reused", "2 201"}, other.summaries()); diff != "" {
		t.Errorf("another order of the same name (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1 201 replayed", "2 400 idempotency-key-missing"}, p.bulk("", imported("1", 1)+"\n"+oneLine(cart(1, "approved"))).summaries()); diff != "" {
		t.Errorf("without a key (-want +got):\n%s", diff)
	}
}

func TestOneOfManyOrdersIsAnOrder(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	c := client.New(p.url, adminKey)
	defer c.Close()
	order := client.PlaceOrder{
		Currency: "EUR", Lines: []client.OrderLine{{SKU: "MUG-1", Quantity: 2}}, Payment: client.Payment{Method: "sandbox:approved"},
		Customer: &client.Customer{Email: "a@example.com"},
	}
	placed := 0
	for line, err := range c.PlaceOrders(t.Context(), "k1", slices.Values([]client.PlaceOrder{order, order})) {
		if err != nil || line.Problem != nil {
			t.Fatal(err, line)
		}
		placed++
		if shown := p.get("/v1/orders/" + line.OrderID).expect(200); shown.text("number") != line.Number || line.Line != placed {
			t.Errorf("line %+v is the order %s", line, shown.body)
		}
	}
	if placed != 2 {
		t.Errorf("%d answers to two lines", placed)
	}
	for _, err := range c.PlaceOrders(t.Context(), "é", slices.Values([]client.PlaceOrder{order})) {
		if problem, ok := err.(*client.Problem); !ok || problem.Status != http.StatusBadRequest { //nolint:errorlint // it is not wrapped
			t.Errorf("with a key that is none: %v", err)
		}
	}
}

// TestAnswersComeWhileOrdersAreSent sends a line when the one before it was
// answered: nothing waits for the end of the body.
func TestAnswersComeWhileOrdersAreSent(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	body, send := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/v1/orders/bulk", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	req.Header.Set("Content-Type", lines)
	go func() { _, _ = send.Write([]byte(imported("0", 1) + "\n")) }()
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answers := bufio.NewScanner(response.Body)
	for n := 1; n <= 5; n++ {
		if !answers.Scan() || !strings.Contains(answers.Text(), fmt.Sprintf(`{"line":%d,"status":201`, n)) {
			t.Fatalf("answer %d: %s %v", n, answers.Text(), answers.Err())
		}
		if _, err := send.Write([]byte(imported(fmt.Sprint(n), 1) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	_ = send.Close()
	if !answers.Scan() || answers.Scan() {
		t.Errorf("after the end of the body: %s", answers.Text())
	}
}

func TestABodyOfManyOrdersHasLimits(t *testing.T) {
	t.Parallel()
	p := startWith(t, func(a *api.API) { a.Config.MaxBodyBytes, a.Config.MaxBulkBytes = 300, 2_000 })
	line := imported("1", 1)
	p.bulk("", strings.Repeat(line+"\n", 20)).problem(413, "body-too-large")
	p.bulk("", "").problem(400, "malformed-request")
	p.bulk("", "\n \r\n\n").problem(400, "malformed-request")
	p.do(request{method: http.MethodPost, path: "/v1/orders/bulk", body: line, header: map[string]string{"Content-Type": "application/json"}}).problem(415, "unsupported-media-type")
	p.do(request{method: http.MethodPost, path: "/v1/orders/bulk", body: line, header: map[string]string{"Content-Type": lines, "Content-Encoding": "gzip"}}).problem(415, "unsupported-media-type")
	p.do(request{method: http.MethodPost, path: "/v1/orders/bulk", body: line, key: p.key(apikey.OrdersWrite), header: map[string]string{"Content-Type": lines}}).problem(403, "forbidden")
	long := p.bulk("", line+"\n"+strings.Repeat(" ", 400)+"{}\n"+line).summaries()
	if diff := cmp.Diff([]string{"1 422 cart-invalid", "2 413 body-too-large"}, long); diff != "" {
		t.Errorf("a line that is too long (-want +got):\n%s", diff)
	}
	endless := p.chunked(strings.Repeat(line+"\n", 20)).summaries()
	if last := endless[len(endless)-1]; last != fmt.Sprint(len(endless), " 413 body-too-large") || len(endless) < 3 {
		t.Errorf("a body that grows too large: %v", endless)
	}
}

// chunked sends a body whose length is not said before.
func (p *platform) chunked(body string) answer {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/v1/orders/bulk", io.MultiReader(strings.NewReader(body)))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	req.Header.Set("Content-Type", lines)
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{t: p.t, status: response.StatusCode, header: response.Header, body: text}
}

// Answers come while the body is read, so the server cannot tell from its end
// where the next request of the connection begins: there is none.
func TestAConnectionEndsWithItsManyOrders(t *testing.T) {
	t.Parallel()
	p := startWith(t, func(a *api.API) { a.Config.MaxBodyBytes = 300 })
	tail := strings.Repeat(imported("1", 1)+"\n", 500)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/v1/orders/bulk", strings.NewReader(strings.Repeat(" ", 400)+"{}\n"+tail))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	req.Header.Set("Content-Type", lines)
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || !bytes.Contains(text, []byte("body-too-large")) || !response.Close {
		t.Errorf("the connection ends: %t; %v: %s", response.Close, err, text)
	}
}
