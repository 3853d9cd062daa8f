package apifuzz_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/api/apifuzz"
)

const description = `{"openapi": "3.1.0", "info": {"title": "Mugs", "version": "1"}, "paths": {
  "/v1/mugs": {"post": {"operationId": "makeMug", "security": [{"bearer": ["mugs:write"]}],
    "parameters": [{"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}],
    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewMug"}}}},
    "responses": {"201": {"description": "made", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mug"}}}},
      "400": {"$ref": "#/components/responses/malformed"}, "401": {"$ref": "#/components/responses/unauthorized"},
      "403": {"$ref": "#/components/responses/forbidden"}, "422": {"$ref": "#/components/responses/invalid"}}}},
  "/v1/mugs/{id}": {"get": {"operationId": "showMug", "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
    "responses": {"200": {"description": "mug", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mug"}}}},
      "404": {"$ref": "#/components/responses/not-found"}}}}},
  "components": {
    "schemas": {
      "NewMug": {"type": "object", "required": ["colour"], "additionalProperties": false,
        "properties": {"colour": {"type": "string", "examples": ["red"]}, "litres": {"type": "integer", "minimum": 1, "maximum": 9}}},
      "Mug": {"type": "object", "required": ["id", "colour"], "properties": {"id": {"type": "string"}, "colour": {"type": "string"}}},
      "Problem": {"type": "object", "required": ["type", "title", "status"]}},
    "responses": {
      "malformed": {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {"malformed": {}, "idempotency-key-missing": {}}}}},
      "unauthorized": {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {"unauthorized": {}}}}},
      "forbidden": {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {"forbidden": {}}}}},
      "invalid": {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {"invalid": {}}}}},
      "not-found": {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {"not-found": {}}}}}}}}`

// mugs is an API that is as described, but for one mistake.
type mugs struct {
	mistake string

	mu   sync.Mutex
	made map[string]map[string]any
	seen []string
}

func (m *mugs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, r.Method+" "+r.URL.String()+" "+r.Header.Get("Idempotency-Key")+" "+string(body))
	id, one := strings.CutPrefix(r.URL.Path, "/v1/mugs/")
	switch {
	case one && r.Method == http.MethodGet && m.made[id] != nil && m.mistake == "an answer without a member":
		m.answer(w, http.StatusOK, map[string]any{"id": id})
	case one && r.Method == http.MethodGet && m.made[id] != nil:
		m.answer(w, http.StatusOK, m.made[id])
	case r.Method == http.MethodPost && r.URL.Path == "/v1/mugs":
		m.create(w, r, body)
	case m.mistake == "an error that is a page":
		http.Error(w, "nothing here", http.StatusNotFound)
	default:
		m.refuse(w, http.StatusNotFound, "not-found")
	}
}

func (m *mugs) create(w http.ResponseWriter, r *http.Request, body []byte) {
	var mug map[string]any
	colour, litres := "", any(nil)
	if err := json.Unmarshal(body, &mug); err == nil {
		colour, _ = mug["colour"].(string)
		litres = mug["litres"]
	}
	_, isText := mug["colour"].(string)
	size, isNumber := litres.(float64)
	whole := isText && (litres == nil || isNumber && size >= 1 && size <= 9 && size == float64(int(size)))
	key := r.Header.Get("Idempotency-Key")
	id := fmt.Sprintf("mug-%s", key)
	switch {
	case r.Header.Get("Authorization") != "Bearer all" && r.Header.Get("Authorization") != "Bearer none":
		m.refuse(w, http.StatusUnauthorized, "unauthorized")
	case r.Header.Get("Authorization") == "Bearer none" && m.mistake != "a scope that nobody looks at":
		m.refuse(w, http.StatusForbidden, "forbidden")
	case m.mistake == "a panic at a large number" && isNumber && size > 1000:
		m.refuse(w, http.StatusInternalServerError, "internal-error")
	case key == "" && m.mistake == "a type of problem nobody knows":
		m.refuse(w, http.StatusBadRequest, "key-lost")
	case key == "":
		m.refuse(w, http.StatusBadRequest, "idempotency-key-missing")
	case mug == nil:
		m.refuse(w, http.StatusBadRequest, "malformed")
	case (!whole || len(mug) > 2 || (len(mug) == 2 && litres == nil)) && m.mistake != "anything goes":
		m.refuse(w, http.StatusUnprocessableEntity, "invalid")
	default:
		if m.mistake == "a repeat that makes another" {
			id = fmt.Sprint("mug-", len(m.made))
		}
		m.made[id] = map[string]any{"id": id, "colour": colour}
		status := http.StatusCreated
		if m.mistake == "a status nobody documents" && colour == "red" {
			status = http.StatusTeapot
		}
		m.answer(w, status, m.made[id])
	}
}

func (m *mugs) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (m *mugs) refuse(w http.ResponseWriter, status int, slug string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	problem := map[string]any{"type": "http://x/problems/" + slug, "title": slug, "status": status, "instance": "/", "trace_id": strings.Repeat("4", 32)}
	if m.mistake == "a problem without its trace" {
		delete(problem, "trace_id")
	}
	_ = json.NewEncoder(w).Encode(problem)
}

func fuzz(t *testing.T, m *mugs) *apifuzz.Result {
	t.Helper()
	m.made = map[string]map[string]any{}
	server := httptest.NewServer(m)
	defer server.Close()
	document, err := apifuzz.Read([]byte(description))
	if err != nil {
		t.Fatal(err)
	}
	return apifuzz.Run(t.Context(), document, apifuzz.Options{
		BaseURL: server.URL, Client: server.Client(), Keys: []apifuzz.Key{{Text: "all", All: true}, {Text: "none"}},
		Words: map[string][]any{"colour": {"red", "blue"}}, Now: func() time.Time { return time.Unix(0, 0) },
		Seed: 1, Requests: 1_500, Length: 300, Workers: 1, Huge: 100,
	})
}

func TestAnAPIThatIsAsDescribedHasNoFailures(t *testing.T) {
	t.Parallel()
	result := fuzz(t, &mugs{})
	for _, failure := range result.Failures {
		t.Error(failure)
	}
	for operation, statuses := range map[string][]int{"makeMug": {201, 400, 401, 403, 422}, "showMug": {200, 404}} {
		for _, status := range statuses {
			if result.Answers[operation][status] == 0 {
				t.Errorf("%s was never answered %d: %v", operation, status, result.Answers[operation])
			}
		}
	}
}

func TestEachMistakeIsFoundAndMadeSmall(t *testing.T) {
	t.Parallel()
	for mistake, want := range map[string]struct{ text, curl string }{
		"a panic at a large number":      {"500", `"litres":`},
		"a status nobody documents":      {"418 is not documented", `'{"colour":"red"}'`},
		"an answer without a member":     {"missing property 'colour'", "/v1/mugs/mug-fuzz-"},
		"an error that is a page":        {"text/plain", ""},
		"a type of problem nobody knows": {"key-lost", ""},
		"a problem without its trace":    {"no trace", ""},
		"a scope that nobody looks at":   {"none of [mugs:write]", "Bearer none"},
		"anything goes":                  {"not as documented", ""},
		"a repeat that makes another":    {"repeated with the same key", "Idempotency-Key: fuzz-"},
	} {
		t.Run(mistake, func(t *testing.T) {
			t.Parallel()
			result := fuzz(t, &mugs{mistake: mistake})
			found := slices.ContainsFunc(result.Failures, func(f *apifuzz.Failure) bool {
				return strings.Contains(f.Text, want.text) && strings.Contains(f.Curl, want.curl) && len(f.Curl) < 400
			})
			if !found {
				t.Errorf("%d failures, none with %q and %q: %v", len(result.Failures), want.text, want.curl, result.Failures)
			}
		})
	}
}

func TestASeedIsARun(t *testing.T) {
	t.Parallel()
	one, two := &mugs{}, &mugs{}
	fuzz(t, one)
	fuzz(t, two)
	if diff := cmp.Diff(one.seen, two.seen); diff != "" {
		t.Errorf("the same seed sent other requests (-first +second):\n%s", diff)
	}
}
