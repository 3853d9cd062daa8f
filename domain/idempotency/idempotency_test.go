package idempotency_test

import (
	"errors"
	"testing"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/idempotency"
)

func TestAKeyStandsForOneRequest(t *testing.T) {
	t.Parallel()
	at, later := int64(0), int64(3)
	unchanged := idempotency.IdempotencyKeyUsed{Fingerprint: "a", Revision: &at}
	used := idempotency.IdempotencyKeyUsed{Fingerprint: "a"}
	decidertest.Run(t, idempotency.Decider, []decidertest.Case[idempotency.Command, idempotency.Event]{
		{Name: "it is used", When: idempotency.Use{Fingerprint: "a"}, Then: []idempotency.Event{used}},
		{Name: "the same request is the same", Given: []idempotency.Event{used}, When: idempotency.Use{Fingerprint: "a"}},
		{Name: "another one is refused", Given: []idempotency.Event{used}, When: idempotency.Use{Fingerprint: "b"}, Refused: domain.ErrKeyReused},
		{Name: "a request that changes nothing uses it too", When: idempotency.Use{Fingerprint: "a", Revision: &at}, Then: []idempotency.Event{unchanged}},
		{Name: "it found what it found first", Given: []idempotency.Event{unchanged}, When: idempotency.Use{Fingerprint: "a", Revision: &later}},
		{Name: "another one is refused after it too", Given: []idempotency.Event{unchanged}, When: idempotency.Use{Fingerprint: "b"}, Refused: domain.ErrKeyReused},
	})
}

func TestWhatAKeyStandsFor(t *testing.T) {
	t.Parallel()
	at := int64(0)
	for _, row := range []struct {
		name        string
		state       idempotency.State
		fingerprint string
		unchanged   bool
		refused     bool
	}{
		{name: "a key that nobody used", fingerprint: "a"},
		{name: "a request that made something", state: idempotency.State{Fingerprint: "a"}, fingerprint: "a"},
		{name: "a request that changed nothing", state: idempotency.State{Fingerprint: "a", Revision: &at}, fingerprint: "a", unchanged: true},
		{name: "another request", state: idempotency.State{Fingerprint: "a", Revision: &at}, fingerprint: "b", refused: true},
	} {
		_, unchanged, err := row.state.Stands(row.fingerprint)
		if unchanged != row.unchanged || errors.Is(err, domain.ErrKeyReused) != row.refused {
			t.Errorf("%s: unchanged %v, %v", row.name, unchanged, err)
		}
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, idempotency.EventTypes())
}
