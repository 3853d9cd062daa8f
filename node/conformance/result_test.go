package main

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What go test -json says, without what is not looked at.
const (
	passed     = `{"Action":"run","Test":"A"}{"Action":"output","Test":"A","Output":"x\n"}{"Action":"pass","Test":"A","Elapsed":1}`
	parts      = `{"Action":"run","Test":"B"}{"Action":"run","Test":"B/c"}{"Action":"fail","Test":"B/c"}{"Action":"fail","Test":"B"}`
	unfinished = `{"Action":"run","Test":"D"}{"Action":"output","Test":"D","Output":"panic: no\n"}`
	itself     = `{"Action":"run","Test":"E"}{"Action":"skip","Test":"E"}`
	known      = `{"Action":"pass","Test":"TestStreams"}{"Action":"pass","Test":"TestStreams/AppendTests"}` +
		`{"Action":"skip","Test":"TestStreams/AppendTests/appendToSystemStreamWithIncorrectCredentials"}`
)

func TestProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		said string
		want []string
	}{
		"all passed":                {passed, nil},
		"a part failed":             {passed + parts, []string{"1 tests failed"}},
		"the program ended":         {passed + unfinished, []string{"1 tests failed"}},
		"skipped with a reason":     {known, nil},
		"skipped without a reason":  {itself, []string{"E skipped itself"}},
		"everything that can be is": {parts + unfinished + itself, []string{"2 tests failed", "E skipped itself"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := results{tests: map[string]*result{}}
			if err := r.read(strings.NewReader(test.said), false, io.Discard); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, r.problems(insecure)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestSecureRunSkipsNothing(t *testing.T) {
	t.Parallel()
	r := results{tests: map[string]*result{}}
	if err := r.read(strings.NewReader(known), false, io.Discard); err != nil {
		t.Fatal(err)
	}
	if len(r.problems(secure)) == 0 {
		t.Error("a test of credentials may not skip itself where there are credentials")
	}
}
