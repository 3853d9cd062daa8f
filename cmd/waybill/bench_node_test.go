package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/node/nodebench"
)

func TestBenchNodeMeasuresEverything(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	var out, errOut strings.Builder
	code := run(t.Context(), []string{"bench", "node", "--duration", "1s", "--events", "3000", "--large", "4000", "--dir", t.TempDir(), "--json"}, &out, &errOut)
	if code != exitDone {
		t.Fatalf("it ended with %d: %s", code, errOut.String())
	}
	var r nodebench.Report
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Appends) != 3 || len(r.Stores) != 2 || len(r.Subscribers) != 2 {
		t.Fatalf("got %+v", r)
	}
	for _, a := range r.Appends {
		if a.PerSecond <= 0 || a.P99 < a.P50 || a.Group < 1 || a.Raw <= 0 {
			t.Errorf("appends: %+v", a)
		}
	}
	for i, s := range r.Stores {
		if s.Events != 3000+1000*i || s.All <= 0 || s.Stream <= 0 || s.Opened <= 0 || s.Memory <= 0 || s.Verify <= 0 {
			t.Errorf("store: %+v", s)
		}
	}
	for _, s := range r.Subscribers {
		if s.Received != int64(s.Appended*s.Subscribers) || s.Received == 0 || s.P99 < s.P50 || s.P50 <= 0 {
			t.Errorf("subscribers: %+v", s)
		}
	}
}
