package access_test

import (
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/eventstore/eventstoretest"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// TestAKeyThatIsShownIsStored, also where two processes issue one by the same
// command at once: each has made another secret.
func TestAKeyThatIsShownIsStored(t *testing.T) {
	t.Parallel()
	ctx, store, c := t.Context(), connect(t, nodetest.Start(t)), newClock()
	var done sync.WaitGroup
	var issued [2]access.IssuedKey
	for i, of := range eventstoretest.AtOnce(store) {
		keys := keysOf(of, c)
		done.Go(func() {
			var err error
			issued[i], err = keys.Issue(ctx, access.NewKey{Name: "shop", Scopes: []apikey.Scope{apikey.OrdersRead}}, eventstore.Metadata{CommandID: "command"})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	for i, key := range issued {
		if got, err := keysOf(store, c).Authenticate(ctx, key.Text); err != nil || got.KeyID != key.ID || key.Name != "shop" {
			t.Errorf("process %d showed %+v, which is not stored: %v", i, key.Key, err)
		}
	}
}
