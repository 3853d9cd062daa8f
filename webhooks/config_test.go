package webhooks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/webhooks"
)

func TestALimitThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	key := make([]byte, 32)
	for name, row := range map[string]struct {
		config webhooks.Config
		says   string
	}{
		"no owner":           {webhooks.Config{CursorKey: key}, "needs an owner"},
		"no key":             {webhooks.Config{Owner: "a"}, "needs an owner"},
		"a negative time":    {webhooks.Config{Owner: "a", CursorKey: key, Lease: -time.Second}, "negative"},
		"a negative number":  {webhooks.Config{Owner: "a", CursorKey: key, Window: -1}, "negative"},
		"too many in flight": {webhooks.Config{Owner: "a", CursorKey: key, InFlight: 65}, "64 is the most"},
	} {
		if err := (&webhooks.Dispatcher{Config: row.config}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
