package idempotency_test

import (
	"testing"

	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/idempotency"
)

func TestAKeyStandsForOneRequest(t *testing.T) {
	t.Parallel()
	used := idempotency.IdempotencyKeyUsed{Fingerprint: "a"}
	decidertest.Run(t, idempotency.Decider, []decidertest.Case[idempotency.Command, idempotency.Event]{
		{Name: "it is used", When: idempotency.Use{Fingerprint: "a"}, Then: []idempotency.Event{used}},
		{Name: "the same request is the same", Given: []idempotency.Event{used}, When: idempotency.Use{Fingerprint: "a"}},
		{Name: "another one is refused", Given: []idempotency.Event{used}, When: idempotency.Use{Fingerprint: "b"}, Refused: idempotency.ErrReused},
	})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, idempotency.EventTypes())
}
