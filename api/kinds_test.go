package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestEveryRuleHasItsKind reads the sources, because a rule that somebody adds
// is to have a status and a page of its own.
func TestEveryRuleHasItsKind(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, k := range kinds() {
		known[k.slug] = true
	}
	codes := 0
	for _, root := range []string{"../domain", "../webhooks", "../handlers", "../gateways", "../vault"} {
		eachRule(t, root, func(at, code string) {
			codes++
			if !known[code] {
				t.Errorf("%s: the rule %q has no kind of problem; add it to ruleKinds", at, code)
			}
		})
	}
	if codes < 20 {
		t.Errorf("only %d rules were found: are the sources where they were?", codes)
	}
}

// eachRule finds the calls of Rule with a constant code.
func eachRule(t *testing.T, root string, found func(at, code string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil //nolint:nilerr // a folder that is not there has no rules
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if code, ok := ruleCode(n); ok {
				found(files.Position(n.Pos()).String(), code)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func ruleCode(n ast.Node) (string, bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 2 {
		return "", false
	}
	switch name := call.Fun.(type) {
	case *ast.Ident:
		ok = name.Name == "Rule"
	case *ast.SelectorExpr:
		ok = name.Sel.Name == "Rule"
	default:
		ok = false
	}
	literal, constant := call.Args[0].(*ast.BasicLit)
	if !ok || !constant {
		return "", false
	}
	code, err := strconv.Unquote(literal.Value)
	return code, err == nil
}

func TestKindsAreComplete(t *testing.T) {
	t.Parallel()
	slug := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := map[string]bool{}
	for _, k := range kinds() {
		switch {
		case seen[k.slug]:
			t.Errorf("%s is there twice", k.slug)
		case !slug.MatchString(k.slug), k.title == "", k.about == "", k.status < 400, k.status > 599:
			t.Errorf("%+v is not complete", k)
		case k.status == 503 && k.retry == 0:
			t.Errorf("%s is a 503 without Retry-After", k.slug)
		}
		seen[k.slug] = true
	}
}
