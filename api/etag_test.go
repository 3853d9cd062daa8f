package api

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/eventstore"
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

func TestIfMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, header string
		want         eventstore.Revision
		named        bool
	}{
		{"a tag", `"4"`, 4, true},
		{"none", ``, 0, false},
		{"any", `*`, 0, false},
		{"a weak tag never matches", `W/"4"`, eventstore.NoStream, true},
		{"several", `"4", "5"`, eventstore.NoStream, true},
		{"not ours", `"abc"`, eventstore.NoStream, true},
		{"another spelling", `"04"`, eventstore.NoStream, true},
		{"an expectation of the store", `"-2"`, eventstore.NoStream, true},
		{"without quotes", `4`, eventstore.NoStream, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got, named := ifMatch(c.header); got != c.want || named != c.named {
				t.Errorf("ifMatch(%q) = %d, %v", c.header, got, named)
			}
		})
	}
}

func FuzzIfMatch(f *testing.F) {
	f.Add(`"4"`)
	f.Add(`"-1"`)
	f.Add(`*`)
	f.Fuzz(func(t *testing.T, header string) {
		got, named := ifMatch(header)
		if named && got >= 0 && strings.TrimSpace(header) != etag(got) {
			t.Errorf("%q was read as %d", header, got)
		}
		if got < eventstore.NoStream {
			t.Errorf("%q would match anything", header)
		}
	})
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
