package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/client"
)

func TestTwoRevisionsOfAnOrderAreCompared(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	o := p.ordered()
	o.step("tags", `{"add": ["gift"]}`)
	o.step("hold", `{"reason": "manual"}`)
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	told := func(from, to int64) string {
		t.Helper()
		diff, err := c.OrderDiff(t.Context(), o.id, from, to)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, change := range diff.Changes {
			if !strings.HasPrefix(change.Path, "/holds") {
				lines = append(lines, fmt.Sprintf("%s %s %s %s", change.Op, change.Path, change.Old, change.Value))
			}
		}
		for _, e := range diff.Events {
			lines = append(lines, fmt.Sprint(e.Revision, " ", e.Type))
		}
		return strings.Join(lines, "\n")
	}
	for name, row := range map[string]struct {
		from, to int64
		want     string
	}{
		"from the beginning": {0, -1, "replace /status \"placed\" \"on_hold\"\nadd /tags/-  \"gift\"\n1 OrderTagged\n2 OrderHeld"},
		"one step":           {0, 1, "add /tags/-  \"gift\"\n1 OrderTagged"},
		"backwards":          {2, 1, "replace /status \"on_hold\" \"placed\"\n2 OrderHeld"},
		"with itself":        {2, 2, ""},
	} {
		if got := told(row.from, row.to); got != row.want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, row.want)
		}
	}
	p.get("/v1/orders/"+o.id+"/diff?from=9").problem(404, "revision-unknown")
	p.get("/v1/orders/nobody/diff").problem(404, "not-found")
}
