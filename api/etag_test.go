package api

import (
	"strings"
	"testing"
)

func TestNoneMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, header string
		want         bool
	}{
		{"the tag", `"4"`, true},
		{"a weak form of it", `W/"4"`, true},
		{"one of several", `"1", W/"2" ,"4"`, true},
		{"any", ` * `, true},
		{"another", `"5"`, false},
		{"part of another", `"14"`, false},
		{"none", ``, false},
		{"without quotes", `4`, false},
		{"not closed", `"4`, false},
		{"something between tags", `"1" x "4"`, false},
		{"commas only", `,,,`, false},
		{"a comma within a tag", `"1,", "4"`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := noneMatch(c.header, etag(4)); got != c.want {
				t.Errorf("noneMatch(%q) = %v", c.header, got)
			}
		})
	}
}

func FuzzNoneMatch(f *testing.F) {
	f.Add(`"4"`)
	f.Add(`W/"1", "4"`)
	f.Add(`*`)
	f.Add(`"`)
	f.Fuzz(func(t *testing.T, header string) {
		got := noneMatch(header, `"4"`)
		if got && strings.TrimSpace(header) != "*" && !strings.Contains(header, `"4"`) {
			t.Errorf("%q matched", header)
		}
	})
}
