package apifuzz

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	value  any // of a body in JSON
	err    error
}

// complaint says what is wrong with an answer. Two with the same code are of
// the same mistake, most likely.
type complaint struct{ code, text string }

func complain(code, format string, args ...any) *complaint {
	return &complaint{code: code, text: fmt.Sprintf(format, args...)}
}

// judge compares an answer with what the document promises.
func (d *Document) judge(r *request, a *answer) *complaint {
	if a.err != nil {
		return complain("no answer", "no answer: %v", a.err)
	}
	if unrouted(r, a) {
		return nil
	}
	if a.status >= http.StatusInternalServerError {
		return complain(fmt.Sprint("status ", a.status), "%d %s", a.status, a.body)
	}
	if r.elsewhere {
		return d.judgeElsewhere(r, a)
	}
	response, documented := r.operation.known(a.status)
	if !documented {
		return complain(fmt.Sprint("status ", a.status), "%d is not documented: %s", a.status, a.body)
	}
	if wrong := d.judgeBody(r.operation, response, a); wrong != nil {
		return wrong
	}
	return d.judgeVerdict(r, a)
}

// judgeElsewhere wants an address or method that is not described to be
// refused as such. A prefix or method may happen to be one of another route.
func (d *Document) judgeElsewhere(r *request, a *answer) *complaint {
	if a.status < http.StatusBadRequest || r.method == http.MethodHead {
		return nil
	}
	slug, wrong := problemOf(a)
	if wrong == nil && !d.problems[slug] && slug != "not-found" && slug != "method-not-allowed" {
		return complain("problem "+slug, "no operation documents the problem %q", slug)
	}
	return wrong
}

// unrouted reports whether a mux took a part of the path that is a slash for
// another address, and said so.
func unrouted(r *request, a *answer) bool {
	slug, wrong := problemOf(a)
	return slices.Contains(slices.Collect(maps.Values(r.path)), "/") && a.status == http.StatusNotFound && wrong == nil && slug == "not-found"
}

func (d *Document) judgeBody(o *Operation, response *Response, a *answer) *complaint {
	if len(response.schemas) == 0 {
		if len(a.body) > 0 {
			return complain("body", "%d has a body, which is not documented: %s", a.status, a.body)
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	schema := response.schemas[media]
	if err != nil || schema == nil {
		return complain("content type", "%d has Content-Type %q, which is not documented: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	if media == mediaLines {
		return d.judgeLines(schema, a)
	}
	switch media {
	case "application/pdf":
		return judgePDF(a)
	case "text/csv", "application/vnd.apache.parquet":
		return nil // other tests read them
	}
	if a.value, err = jsonschema.UnmarshalJSON(bytes.NewReader(a.body)); err != nil {
		return complain("no json", "%d is not JSON: %v: %s", a.status, err, a.body)
	}
	if err := schema.Validate(a.value); err != nil {
		return complain("schema", "%d is not as documented: %v: %s", a.status, err, a.body)
	}
	if media != mediaProblem {
		return nil
	}
	slug, wrong := problemOf(a)
	if wrong == nil && !response.problems[slug] {
		return complain("problem "+slug, "%s does not document the problem %q with %d: %s", o.ID, slug, a.status, a.body)
	}
	return wrong
}

func judgePDF(a *answer) *complaint {
	if !bytes.HasPrefix(a.body, []byte("%PDF-")) {
		return complain("pdf", "%d is no PDF: %.20q", a.status, a.body)
	}
	return nil
}

// judgeLines wants each line to be as described, and what is refused to be
// refused with a problem that some operation names.
func (d *Document) judgeLines(schema *jsonschema.Schema, a *answer) *complaint {
	var values []any
	for line := range bytes.Lines(a.body) {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err != nil {
			return complain("no json", "a line is not JSON: %v: %s", err, line)
		}
		if err := schema.Validate(value); err != nil {
			return complain("schema", "a line is not as documented: %v: %s", err, line)
		}
		values = append(values, value)
		fields, _ := value.(map[string]any)
		problem := child(fields, "problem")
		if _, slug, _ := strings.Cut(text(problem["type"]), "/problems/"); problem != nil && (!d.problems[slug] || slug == "internal-error") {
			return complain("problem "+slug, "a line has the problem %q: %s", slug, line)
		}
	}
	a.value = values
	return nil
}

// problemOf wants a whole problem document and returns the last part of its
// type.
func problemOf(a *answer) (slug string, wrong *complaint) {
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	var document struct {
		Type     string `json:"type"`
		Title    string `json:"title"`
		Status   int    `json:"status"`
		Instance string `json:"instance"`
		TraceID  string `json:"trace_id"`
	}
	if err := json.Unmarshal(a.body, &document); media != mediaProblem || err != nil {
		return "", complain("no problem", "%d is no problem document: %s %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	_, slug, found := strings.Cut(document.Type, "/problems/")
	switch {
	case !found || slug == "" || document.Title == "" || document.Instance == "":
		return slug, complain("problem", "type, title or instance is missing: %s", a.body)
	case document.Status != a.status:
		return slug, complain("problem", "the document says %d and the answer is %d: %s", document.Status, a.status, a.body)
	case len(document.TraceID) != 32:
		return slug, complain("trace", "the problem has no trace: %s", a.body)
	}
	return slug, nil
}

// judgeVerdict wants what must be refused to be refused, and a repeat to be
// answered as the first time.
func (d *Document) judgeVerdict(r *request, a *answer) *complaint {
	o, done := r.operation, a.status < http.StatusBadRequest
	switch {
	case len(o.Scopes) > 0 && r.key.Text == "" && a.status != http.StatusUnauthorized:
		return complain("key", "%d without a valid key: %s", a.status, a.body)
	case len(o.Scopes) > 0 && r.key.Text != "" && !r.key.may(o) && a.status != http.StatusForbidden:
		return complain("scope", "%d with a key that has none of %v: %s", a.status, o.Scopes, a.body)
	case len(o.Scopes) > 0 && r.key.may(o) && a.status == http.StatusUnauthorized:
		return complain("key", "a valid key was refused: %s", a.body)
	case r.first != nil && o.needsKey():
		return judgeRepeat(r.first, a)
	case done && o.Media == mediaJSON && (!o.empty || len(r.body()) > 0):
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.body()))
		if err != nil {
			return complain("accepted", "%d for a body that is not JSON: %v", a.status, err)
		}
		if err := o.accepts.Validate(withoutNulls(value)); err != nil {
			return complain("accepted", "%d for a body that is not as documented: %v", a.status, err)
		}
	}
	return nil
}

// withoutNulls leaves out members that are null: to send one is to send none.
func withoutNulls(value any) any {
	switch value := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, inner := range value {
			if inner != nil {
				kept[name] = withoutNulls(inner)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(value))
		for i, inner := range value {
			kept[i] = withoutNulls(inner)
		}
		return kept
	}
	return value
}

// needsKey reports whether a request without Idempotency-Key is refused: then
// an answer is kept whatever happens to the thing later.
func (o *Operation) needsKey() bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(o.Responses)), func(r *Response) bool { return r.problems["idempotency-key-missing"] })
}

func judgeRepeat(first, again *answer) *complaint {
	if again.status >= http.StatusBadRequest {
		return complain("repeat", "repeated with the same key, %d and then %d: %s", first.status, again.status, again.body)
	}
	one, _ := first.value.(map[string]any)
	two, _ := again.value.(map[string]any)
	if first.status == again.status && text(one["id"]) != text(two["id"]) {
		return complain("repeat", "repeated with the same key, %q and then %q", one["id"], two["id"])
	}
	return nil
}

// sameKind tells whether a smaller request shows the same mistake.
func (c *complaint) sameKind(other *complaint) bool { return other != nil && c.code == other.code }

func sortedStatuses(counts map[int]int) []int {
	statuses := make([]int, 0, len(counts))
	for status := range counts {
		statuses = append(statuses, status)
	}
	slices.Sort(statuses)
	return statuses
}
