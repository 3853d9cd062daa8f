package node

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// FilterBy is the name a filter looks at.
type FilterBy int

const (
	// ByStream looks at the stream's name.
	ByStream FilterBy = iota
	// ByType looks at the event's type.
	ByType
)

// A Filter lets events pass whose name is Exact, starts with one of the
// prefixes, or matches the expression. A nil filter lets all pass.
type Filter struct {
	By       FilterBy
	Exact    string
	Prefixes []string
	Regex    *regexp.Regexp
}

// NewRegexFilter refuses what the RE2 syntax does not know, such as
// lookaround.
func NewRegexFilter(by FilterBy, pattern string) (*Filter, error) {
	regex, err := regexp.Compile(pattern)
	if err != nil {
		return nil, &InvalidError{fmt.Sprintf("the filter's expression is not understood: %v", err)}
	}
	return &Filter{By: by, Regex: regex}, nil
}

func (f *Filter) matchRecord(r *Record) bool {
	if f == nil {
		return true
	}
	name := r.Stream
	if f.By == ByType {
		name = r.Type
	}
	if f.Regex != nil {
		return f.Regex.MatchString(name)
	}
	if f.Exact != "" {
		return name == f.Exact
	}
	for _, p := range f.Prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

func (f *Filter) matchView(v *recordView) bool {
	if f == nil {
		return true
	}
	name := v.stream
	if f.By == ByType {
		name = v.typ
	}
	if f.Regex != nil {
		return f.Regex.Match(name)
	}
	if f.Exact != "" {
		return string(name) == f.Exact
	}
	for _, p := range f.Prefixes {
		if bytes.HasPrefix(name, []byte(p)) {
			return true
		}
	}
	return false
}
