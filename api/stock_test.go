package api_test

import (
	"net/http"
	"testing"
)

func TestStockPolicyAndAdjustments(t *testing.T) {
	t.Parallel()
	p := start(t)
	send := func(method, path, body string, header map[string]string) answer {
		return p.do(request{method: method, path: "/v1/stock/main/MUG-1" + path, body: body, header: header})
	}
	number := func(a answer, name string, want float64) {
		t.Helper()
		if got := a.json()[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	number(send(http.MethodPut, "", `{"policy": "deny"}`, nil).expect(200), "available", 0)
	p.post("/v1/stock/main/MUG-1/receive", `{"quantity": 10}`).expect(200)
	first := p.get("/v1/stock/main/MUG-1").expect(200)
	tag := first.header.Get("ETag")
	if first.text("policy") != "deny" {
		t.Errorf("the policy is %s", first.text("policy"))
	}
	changed := send(http.MethodPut, "", `{"policy": "backorder", "backorder_limit": 5}`, map[string]string{"If-Match": tag}).expect(200)
	number(changed, "available", 15)
	if changed.header.Get("ETag") == tag {
		t.Error("the tag is that of before")
	}
	send(http.MethodPut, "", `{"policy": "backorder", "backorder_limit": 5}`, map[string]string{"If-Match": tag}).expect(200) // as it is
	send(http.MethodPut, "", `{"policy": "deny"}`, map[string]string{"If-Match": tag}).problem(412, "revision-mismatch")
	send(http.MethodPut, "", `{"policy": "deny", "backorder_limit": 5}`, nil).problem(422, "stock-invalid")
	send(http.MethodPut, "", `{"policy": "never"}`, nil).problem(422, "invalid-request")
	p.do(request{method: http.MethodPut, path: "/v1/stock/ma.in/MUG-1", body: `{"policy": "deny"}`}).problem(422, "stock-invalid")

	body := `{"delta": -4, "reason": "damaged"}`
	send(http.MethodPost, "/adjust", body, nil).problem(400, "idempotency-key-missing")
	send(http.MethodPost, "/adjust", body, map[string]string{"Idempotency-Key": "k", "If-Match": tag}).problem(412, "revision-mismatch")
	number(send(http.MethodPost, "/adjust", body, map[string]string{"Idempotency-Key": "k"}).expect(200), "on_hand", 6)
	number(send(http.MethodPost, "/adjust", body, map[string]string{"Idempotency-Key": "k", "If-Match": tag}).expect(200), "on_hand", 6) // once
	send(http.MethodPost, "/adjust", `{"delta": -3, "reason": "damaged", "ref": "k"}`, nil).problem(409, "id-reused")
	send(http.MethodPost, "/adjust", `{"delta": -7, "reason": "lost", "ref": "l"}`, nil).problem(422, "stock-invalid")
	p.do(request{method: http.MethodPost, path: "/v1/stock/main/CUP-1/adjust", body: body, header: map[string]string{"Idempotency-Key": "k"}}).problem(422, "stock-invalid")
}

func TestAnAdjustmentTellsTheShortfall(t *testing.T) {
	t.Parallel()
	p := shop(t, 3)
	p.place("k", cart(2, "approved")).expect(201)
	adjusted := p.post("/v1/stock/main/MUG-1/adjust", `{"delta": -2, "reason": "lost", "ref": "count-1"}`).expect(200).json()
	if adjusted["shortfall"] != 1.0 || adjusted["available"] != -1.0 {
		t.Errorf("1 of 2 promised units is there: %v", adjusted)
	}
}
