package api_test

import (
	"net/http"
	"strings"
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

func TestALowerLimitTellsTheShortfall(t *testing.T) {
	t.Parallel()
	p := shop(t, 1)
	p.change(http.MethodPut, "/v1/stock/main/MUG-1", `{"policy": "backorder", "backorder_limit": 3}`, "").expect(200)
	p.place("k", cart(3, "approved")).expect(201)
	changed := p.change(http.MethodPut, "/v1/stock/main/MUG-1", `{"policy": "deny"}`, "").expect(200)
	if got := changed.json(); got["shortfall"] != 2.0 || got["available"] != -2.0 {
		t.Errorf("1 of 3 promised units is there: %v", got)
	}
	if found := p.get("/v1/stock?min_position=" + changed.header.Get("X-Write-Position")).expect(200).json()["items"].([]any)[0].(map[string]any); found["shortfall"] != 2.0 || found["policy"] != "deny" {
		t.Errorf("listed as %v", found)
	}
}

func TestADeliveryIsReceivedAtARevision(t *testing.T) {
	t.Parallel()
	p := shop(t, 3)
	tag := p.get("/v1/stock/main/MUG-1").expect(200).header.Get("ETag")
	receive := func(ref, match string) answer {
		return p.change(http.MethodPost, "/v1/stock/main/MUG-1/receive", `{"quantity": 2, "ref": "`+ref+`"}`, match)
	}
	received := receive("d1", tag).expect(200)
	receive("d2", tag).problem(412, "revision-mismatch")
	receive("d1", tag).expect(200) // it was received before
	receive("d2", received.header.Get("ETag")).expect(200)
	receive("d3", "*").expect(200)
	if level := p.level(); level["on_hand"] != 9.0 {
		t.Errorf("%v on hand, want 3 and three times 2", level["on_hand"])
	}
}

func TestStockIsListedByFilter(t *testing.T) {
	t.Parallel()
	p := start(t)
	var last answer
	for _, item := range []string{"main/A", "main/B", "north/A", "south/A"} {
		last = p.change(http.MethodPut, "/v1/stock/"+item, `{"policy": "backorder", "backorder_limit": 4}`, "").expect(200)
	}
	list := func(query string) (items []string, got answer) {
		t.Helper()
		got = p.get("/v1/stock?min_position=" + last.header.Get("X-Write-Position") + query).expect(200)
		for _, item := range got.json()["items"].([]any) {
			fields := item.(map[string]any)
			items = append(items, fields["location"].(string)+"/"+fields["sku"].(string))
			if fields["policy"] != "backorder" || fields["backorder_limit"] != 4.0 || fields["shortfall"] != 0.0 {
				t.Errorf("listed as %v", fields)
			}
		}
		return items, got
	}
	for query, want := range map[string]string{
		"":                      "main/A north/A south/A main/B",
		"&sku=A":                "main/A north/A south/A",
		"&location=main":        "main/A main/B",
		"&sku=A&location=north": "north/A",
		"&sku=NONE":             "",
	} {
		if got, _ := list(query); strings.Join(got, " ") != want {
			t.Errorf("%s lists %v, want %s", query, got, want)
		}
	}
	first, page := list("&sku=A&limit=2")
	second, _ := list("&sku=A&cursor=" + page.text("next_cursor"))
	if got := strings.Join(append(first, second...), " "); got != "main/A north/A south/A" || !strings.Contains(page.header.Get("Link"), "sku=A") {
		t.Errorf("two pages of A: %s, %s", got, page.header.Get("Link"))
	}
	p.get("/v1/stock?cursor="+page.text("next_cursor")).problem(400, "bad-cursor") // of another filter
}
