package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What a receiver answers is shown to the endpoint's owner, as text.
func TestAnAnswerOfAReceiverIsEscaped(t *testing.T) {
	t.Parallel()
	const attack = `</script><img src=x onerror="alert(1)">&amp;`
	p := start(t)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", attack)
		_, _ = w.Write([]byte(attack))
	}))
	t.Cleanup(receiver.Close)
	id := p.post("/v1/endpoints", `{"url": "`+receiver.URL+`", "event_types": ["*"]}`).expect(201).text("id")
	eventually(t, "listed", func() bool { return len(p.get("/v1/endpoints").json()["items"].([]any)) == 1 })
	p.do(request{method: http.MethodPost, path: "/v1/endpoints/" + id + "/test"}).expect(202)
	var shown answer
	eventually(t, "an attempt", func() bool {
		shown = p.get("/v1/endpoints/" + id + "/attempts").expect(200)
		return len(shown.json()["items"].([]any)) == 1
	})
	if strings.ContainsAny(string(shown.body), "<>") {
		t.Errorf("not escaped: %s", shown.body)
	}
	attempt, _ := shown.json()["items"].([]any)[0].(map[string]any)
	if attempt["response_body"] != attack || !strings.Contains(attempt["response_head"].(string), "Date: "+attack) {
		t.Errorf("attempt %v", attempt)
	}
}
