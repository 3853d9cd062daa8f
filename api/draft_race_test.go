package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
)

// together sends requests at the same time, and counts the answers by status.
func together(n int, send func(int) answer) (statuses map[int]int, answers []answer) {
	results := make(chan answer)
	for i := range n {
		go func() { results <- send(i) }()
	}
	statuses = map[int]int{}
	for range n {
		a := <-results
		statuses[a.status]++
		answers = append(answers, a)
	}
	return statuses, answers
}

// Of changes of a draft that are meant for one revision one is made, and of
// requests to open or place it under one key one takes effect.
func TestDraftsChangedAtTheSameTime(t *testing.T) {
	t.Parallel()
	p := startDrafts(t)
	p.post("/v1/stock/main/MUG-1/receive", `{"quantity": 100}`).expect(200)
	committed := 0.0
	for _, callers := range []int{2, 6, 16} {
		opened, answers := together(callers, func(int) answer {
			return p.do(request{
				method: http.MethodPost, path: "/v1/drafts", body: anyDraft, header: map[string]string{"Idempotency-Key": fmt.Sprint("open ", callers)},
			})
		})
		paths := map[string]bool{}
		for _, a := range answers {
			paths[a.header.Get("Location")] = true
		}
		if opened[201] != 1 || opened[200] != callers-1 || len(paths) != 1 {
			t.Fatalf("%d open a draft under one key: %v, %v", callers, opened, paths)
		}
		path := slices.Collect(maps.Keys(paths))[0]
		one := func(what string, body func(int) string) {
			t.Helper()
			tag := p.get(path).expect(200).header.Get("ETag")
			changed, _ := together(callers, func(i int) answer { return p.send(http.MethodPut, path+what, body(i), tag) })
			if changed[200] != 1 || changed[412] != callers-1 {
				t.Errorf("%d change %s of one revision: %v", callers, what, changed)
			}
		}
		one("/lines/MUG-1", func(i int) string {
			return fmt.Sprintf(`{"quantity": 2, "tax": {"amount": %d, "currency": "EUR"}}`, 100+i)
		})
		one("/details", func(i int) string {
			return fmt.Sprintf(`{"customer": {"email": "ada@example.com"}, "payment_method": "sandbox:approved", "channel": "web-%d",
				"shipping": {"method": "post", "price": {"amount": 500, "currency": "EUR"}},
				"discounts": [{"code": "SUMMER", "amount": {"amount": %d, "currency": "EUR"}}]}`, i, 1+i)
		})
		tag := p.get(path).header.Get("ETag")
		placed, answers := together(callers, func(i int) answer {
			return p.do(request{method: http.MethodPost, path: path + "/place", header: map[string]string{
				"Idempotency-Key": fmt.Sprintf("place %d %d", callers, i%2), "If-Match": tag,
			}})
		})
		ids := map[string]bool{}
		for _, a := range answers {
			if a.status == 201 {
				ids[a.text("id")] = true
			}
		}
		if len(ids) != 1 || placed[201]+placed[409]+placed[412] != callers {
			t.Errorf("%d place a draft under two keys: %v, orders %v", callers, placed, ids)
		}
		if again := p.place(path, "later", "approved").expect(201); !ids[again.text("id")] {
			t.Errorf("placed again it is another order: %s", again.body)
		}
		if committed += 2; p.level()["committed"] != committed {
			t.Errorf("%v units are committed, want %v", p.level()["committed"], committed)
		}
	}
}
