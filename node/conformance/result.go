package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// results are those of one run.
type results struct {
	tests map[string]*result
	names []string        // in the order of their beginning
	rest  strings.Builder // what no test has printed
}

type result struct {
	outcome string // pass, fail, skip; empty while it runs
	seconds float64
	output  strings.Builder
	parent  bool // of other tests
}

func (r *results) add(a *action) {
	if a.Test == "" {
		r.rest.WriteString(a.Output)
		return
	}
	t := r.test(a.Test)
	switch a.Action {
	case "pass", "fail", "skip":
		t.outcome, t.seconds = a.Action, a.Elapsed
	case "output":
		t.output.WriteString(a.Output)
	}
}

func (r *results) test(name string) *result {
	t := r.tests[name]
	if t == nil {
		t = &result{}
		r.tests[name] = t
		r.names = append(r.names, name)
		if i := strings.LastIndexByte(name, '/'); i > 0 {
			r.test(name[:i]).parent = true
		}
	}
	return t
}

// count counts the tests that are not only made of others.
func (r *results) count(outcome string) int {
	n := 0
	for _, t := range r.tests {
		if t.outcome == outcome && !t.parent {
			n++
		}
	}
	return n
}

func (r *results) print(out io.Writer, m mode) {
	for _, name := range r.names {
		t := r.tests[name]
		switch {
		case t.parent && (t.outcome != "fail" || r.partFailed(name)):
		case t.outcome == "pass":
			fmt.Fprintf(out, "  passed   %s (%.1fs)\n", name, t.seconds)
		case t.outcome == "skip":
			fmt.Fprintf(out, "  skipped  %s: %s\n", name, reason(name, m))
		default:
			fmt.Fprintf(out, "  FAILED   %s\n%s", name, t.output.String())
		}
	}
	for _, o := range leftOut {
		fmt.Fprintf(out, "  not run  %s: %s\n", o.test, o.reason)
	}
	fmt.Fprintf(out, "%s: %d passed, %d skipped, %d failed\n", m, r.count("pass"), r.count("skip"), len(r.failed()))
	if len(r.names) == 0 || r.unfinished() {
		fmt.Fprint(out, r.rest.String())
	}
}

// failed are the tests that failed or never ended, without those whose parts
// tell it already.
func (r *results) failed() []string {
	return slices.DeleteFunc(slices.Clone(r.names), func(name string) bool {
		return r.good(name) || r.partFailed(name)
	})
}

func (r *results) good(name string) bool {
	outcome := r.tests[name].outcome
	return outcome == "pass" || outcome == "skip"
}

func (r *results) partFailed(name string) bool {
	return slices.ContainsFunc(r.names, func(part string) bool {
		return strings.HasPrefix(part, name+"/") && !r.good(part)
	})
}

// unfinished reports whether the program ended during a test.
func (r *results) unfinished() bool {
	return slices.ContainsFunc(r.names, func(name string) bool { return r.tests[name].outcome == "" })
}

// problems are the tests that failed, and those that skipped themselves although
// nothing was to be expected to be missing.
func (r *results) problems(m mode) []string {
	var list []string
	if failed := r.failed(); len(failed) > 0 {
		list = append(list, fmt.Sprintf("%d tests failed", len(failed)))
	}
	for _, name := range r.names {
		if r.tests[name].outcome == "skip" && reason(name, m) == unexplained {
			list = append(list, name+" skipped itself")
		}
	}
	return list
}

const unexplained = "for no reason that is known here"

func reason(test string, m mode) string {
	for _, o := range mayBeSkipped[m] {
		if o.test == test {
			return o.reason
		}
	}
	return unexplained
}
