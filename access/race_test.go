package access_test

import (
	"context"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// meeting is a store whose first append waits for that of the other one: both
// have read then, and neither has written.
type meeting struct {
	eventstore.Store

	met  *sync.WaitGroup
	once sync.Once
}

func (m *meeting) Append(ctx context.Context, stream string, expected eventstore.Revision, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	m.once.Do(func() {
		m.met.Done()
		m.met.Wait()
	})
	return m.Store.Append(ctx, stream, expected, events...)
}

// TestAKeyThatIsShownIsStored, also where two processes issue one by the same
// command at once: each has made another secret.
func TestAKeyThatIsShownIsStored(t *testing.T) {
	t.Parallel()
	ctx, store, c := t.Context(), connect(t, nodetest.Start(t)), newClock()
	var met, done sync.WaitGroup
	met.Add(2)
	var issued [2]access.IssuedKey
	for i := range issued {
		keys := keysOf(&meeting{Store: store, met: &met}, c)
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
