package api_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheDocumentedVerifierOfStatementsTellsForgeries runs the program of
// docs/webhooks.md as a partner would, and again with a statement that somebody
// changed on its way.
func TestTheDocumentedVerifierOfStatementsTellsForgeries(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("skipping the verifier of statements: node is not installed")
	}
	text, err := os.ReadFile("../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(text, []byte("```javascript\n"))
	program, _, found := bytes.Cut(rest, []byte("```"))
	if !found {
		t.Fatal("the document has no such program")
	}
	p := start(t)
	id := p.post("/v1/endpoints", `{"url": "https://partner.example/", "event_types": ["*"]}`).expect(201).text("id")
	for name, row := range map[string]struct{ program, want string }{
		"as it came": {string(program), "genuine {"},
		"changed":    {strings.Replace(string(program), "await statement.text()", `(await statement.text()).replace("statement", "Statement")`, 1), "forged {"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "verify.mjs")
			if err := os.WriteFile(path, []byte(row.program), 0o600); err != nil {
				t.Fatal(err)
			}
			run := exec.CommandContext(t.Context(), "node", path)
			run.Env = append(os.Environ(), "WAYBILL_URL="+p.url, "WAYBILL_API_KEY="+adminKey, "ENDPOINT="+id)
			if out, err := run.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), row.want) {
				t.Errorf("the program answers %v:\n%s", err, out)
			}
		})
	}
}
