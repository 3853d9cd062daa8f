package api_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// eventually waits for what other goroutines bring about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("not %s in time", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func feedOf(prefix string) eventstore.FeedConfig {
	return eventstore.FeedConfig{Prefixes: []string{prefix}}
}
