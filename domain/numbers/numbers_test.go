package numbers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/numbers"
)

func TestBlocksFollowEachOther(t *testing.T) {
	t.Parallel()
	var s numbers.State
	var got []numbers.Event
	for range 3 {
		events, err := numbers.Decider.Decide(s, numbers.Reserve{})
		if err != nil {
			t.Fatal(err)
		}
		got, s = append(got, events...), numbers.Decider.Fold(s, events...)
	}
	want := []numbers.Event{
		numbers.OrderNumbersReserved{From: 100_001, To: 100_100},
		numbers.OrderNumbersReserved{From: 100_101, To: 100_200},
		numbers.OrderNumbersReserved{From: 100_201, To: 100_300},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, numbers.EventTypes())
}
