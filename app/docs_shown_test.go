package app

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	usualPackage = regexp.MustCompile("Tests without a package are in `([a-z/]+)`")
	shownBy      = regexp.MustCompile("`(?:([a-z/]+): )?((?:Test|Fuzz)[A-Za-z0-9]+)`")
	testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)
)

// TestDocsNameTestsThatExist: whoever wants to see that a promise is kept finds
// the tests that are said to show it. A package may be given by the end of its
// path, and the names after it, up to a semicolon, may be of it too.
func TestDocsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	documents, err := filepath.Glob("../docs/*-shown.md")
	if err != nil || len(documents) < 2 {
		t.Fatalf("%d documents of what is shown: %v", len(documents), err)
	}
	for _, path := range documents {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		usual := "?"
		if found := usualPackage.FindSubmatch(text); found != nil {
			usual = string(found[1])
		}
		names, known := 0, map[string]map[string]bool{}
		for part := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return r == '\n' || r == ';' || r == '|' }) {
			in := usual
			for _, found := range shownBy.FindAllStringSubmatch(part, -1) {
				if found[1] != "" {
					in = found[1]
				}
				for _, name := range []string{in, usual} {
					if known[name] == nil {
						known[name] = testsIn(t, name)
					}
				}
				if names++; !known[in][found[2]] && (found[1] != "" || !known[usual][found[2]]) {
					t.Errorf("%s: %s has no %s", path, in, found[2])
				}
			}
		}
		if names < 20 {
			t.Errorf("%s names only %d tests: are they written as they were?", path, names)
		}
	}
}

// testsIn lists the tests of a package.
func testsIn(t *testing.T, name string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, pattern := range []string{name, "*/" + name} {
		files, err := filepath.Glob(filepath.Join("..", pattern, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range testFunction.FindAllSubmatch(text, -1) {
				all[string(found[1])] = true
			}
		}
		if len(files) > 0 {
			break
		}
	}
	return all
}
