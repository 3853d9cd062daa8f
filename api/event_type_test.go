package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// Every golden message is one of its schema, and what lacks a member is not.
func TestSchemasDescribeTheMessages(t *testing.T) {
	t.Parallel()
	for _, kind := range message.Kinds() {
		compiler := jsonschema.NewCompiler()
		compiler.DefaultDraft(jsonschema.Draft2020)
		compiler.AssertFormat()
		if err := compiler.AddResource("message.json", any(api.MessageSchema(kind))); err != nil {
			t.Fatal(err)
		}
		schema, err := compiler.Compile("message.json")
		if err != nil {
			t.Errorf("%s: %v", kind.Public, err)
			continue
		}
		paths, err := filepath.Glob(fmt.Sprintf("../webhooks/message/testdata/%s.v%d*.json", kind.Public, kind.Version))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s has no golden message: %v", kind.Public, err)
		}
		for _, path := range paths {
			golden := readJSON(t, path)
			if err := schema.Validate(golden); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			golden["previous"] = nil
			if err := schema.Validate(golden); err != nil {
				t.Errorf("%s without previous: %v", path, err)
			}
			for name := range golden {
				without := readJSON(t, path)
				delete(without, name)
				if schema.Validate(without) == nil {
					t.Errorf("%s: %s may be missing", path, name)
				}
			}
			golden["data"] = map[string]any{}
			if schema.Validate(golden) == nil {
				t.Errorf("%s: data may be empty", path)
			}
			golden["data"] = map[string]any{"thin": true, "href": "/v1/events/x"}
			if err := schema.Validate(golden); err != nil {
				t.Errorf("%s, thin: %v", path, err)
			}
		}
	}
}

func readJSON(t *testing.T, path string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return value.(map[string]any)
}

func TestEventTypes(t *testing.T) {
	t.Parallel()
	p := start(t)
	got := p.do(request{method: "GET", path: "/v1/event-types"})
	var list struct {
		Items []struct {
			Type    string
			Schema  map[string]any
			Example map[string]any
		}
		Variables []struct{ Name string } `json:"filter_variables"`
	}
	if err := json.Unmarshal(got.body, &list); err != nil || got.status != 200 {
		t.Fatalf("%d %v: %.300s", got.status, err, got.body)
	}
	if len(list.Items) != len(message.Kinds()) || len(list.Variables) == 0 {
		t.Errorf("%d types, %d variables", len(list.Items), len(list.Variables))
	}
	for _, item := range list.Items {
		if item.Schema["$schema"] == nil || item.Example["type"] != item.Type {
			t.Errorf("%s: schema %v, example %v", item.Type, item.Schema["$schema"], item.Example["type"])
		}
	}
	if one := p.do(request{method: "GET", path: "/v1/event-types/order.shipped"}); one.status != 200 || !strings.Contains(string(one.body), `"order.shipped"`) {
		t.Errorf("%d %.300s", one.status, one.body)
	}
	if none := p.do(request{method: "GET", path: "/v1/event-types/order.eaten"}); none.status != 404 || !strings.Contains(string(none.body), "event-type-not-found") {
		t.Errorf("%d %s", none.status, none.body)
	}
}
