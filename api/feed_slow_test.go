package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestASlowReaderIsCutOffAndGoesOn: it holds a few megabytes at most until
// then, and misses nothing.
func TestASlowReaderIsCutOffAndGoesOn(t *testing.T) {
	t.Parallel()
	p := start(t)
	const large = 60 // messages of some 110 KB: more than any system keeps for a reader
	var want []string
	for n := range large {
		want = append(want, fmt.Sprint("o", n))
		p.record(want[n], "web", 10, 500)
	}
	eventually(t, "the log to be read", func() bool {
		a := p.get("/v1/feed?types=order.placed&limit=500")
		if len(a.body) > 5<<20 {
			t.Fatalf("one answer has %d bytes", len(a.body))
		}
		return a.status == http.StatusOK && len(a.body) > 4<<20 && strings.Contains(string(a.body), `"more":true`)
	})
	slow := p.listen("", 256<<10)
	eventually(t, "the server to cut it off", func() bool {
		return strings.Contains(p.log.String(), "too slow and was cut off")
	})
	var got []string
	for order := slow.next(); order != ""; order = slow.next() {
		got = append(got, order)
	}
	if len(got) == large {
		t.Error("it got everything nevertheless")
	}
	again := p.listen(slow.last, 0)
	for deadline := time.Now().Add(time.Minute); len(got) < large && time.Now().Before(deadline); {
		got = append(got, again.next())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
