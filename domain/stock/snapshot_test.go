package stock_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain/stock"
)

func taken(tb testing.TB, s stock.State) stock.StockSnapshotTaken {
	tb.Helper()
	snapshot, err := stock.NewSnapshot(s, 1, "x")
	if err != nil {
		tb.Fatal(err)
	}
	return snapshot
}

// content is everything a state holds.
func content(tb testing.TB, s stock.State) string {
	tb.Helper()
	return fmt.Sprint(taken(tb, s).Checksum, s.Reserved, s.Committed, s.OnHand, s.Available(), s.Size())
}

// stored is an event as it is read back.
func stored(tb testing.TB, e stock.Event) stock.Event {
	tb.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		tb.Fatal(err)
	}
	for _, typ := range stock.EventTypes() {
		if typ.Zero.EventName() == e.EventName() {
			return decoded(tb, e, data)
		}
	}
	tb.Fatalf("%s is not known", e.EventName())
	return nil
}

// Wherever in a random history a snapshot was taken: with what came after it, it
// is the state after all of it, and decides the same.
func TestASnapshotAndWhatFollowedIsTheWholeHistory(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 8))
			const keep = 12
			lasting := time.Duration(seed%3) * time.Minute // 0 is what is usual
			whole := stock.Decider.Fold(stock.Hasty(keep, lasting), opening(random)...)
			resumed := whole
			now := noon.Add(time.Hour).In(time.FixedZone("elsewhere", 3600))
			for i := range 800 {
				now = now.Add(time.Duration(random.IntN(60)) * time.Second)
				c := anyCommand(random, now)
				events, err := stock.Decider.Decide(whole, c)
				other, otherErr := stock.Decider.Decide(resumed, c)
				if diff := cmp.Diff(events, other); diff != "" || fmt.Sprint(err) != fmt.Sprint(otherErr) {
					t.Fatalf("%d: %#v: %v and %v (-whole +resumed):\n%s", i, c, err, otherErr, diff)
				}
				whole = stock.Decider.Fold(whole, events...)
				for _, e := range events {
					resumed = stock.Decider.Fold(resumed, stored(t, e))
				}
				if random.IntN(20) == 0 {
					if content(t, whole) != content(t, resumed) {
						t.Fatalf("%d: %#v: the states differ after it", i, c)
					}
					if resumed, err = taken(t, resumed).Open("main", "MUG-1"); err != nil {
						t.Fatal(err)
					}
					resumed = resumed.Forget(keep).Hurry(lasting)
				}
			}
		})
	}
}

func TestASnapshotIsSmall(t *testing.T) {
	t.Parallel()
	s := stock.Decider.Fold(stock.State{}, registered, stock.StockReceived{SKU: "MUG-1", Location: "main", Quantity: 1_000_000, Ref: "x"})
	for i := range 20_000 {
		id := fmt.Sprintf("%08x-7c1b-5a36-9c5e-2a4f%08x", i*7919, i*104_729)
		s = stock.Decider.Fold(s, reserved(id, 1), released(id, 1, stock.Declined, false),
			stock.StockReturned{SKU: "MUG-1", Location: "main", ReturnID: id, Quantity: 1})
	}
	if size := s.Size(); size != 2*stock.Remembered {
		t.Errorf("%d things are remembered, want %d", size, 2*stock.Remembered)
	}
	if size := len(taken(t, s).State); size > 200<<10 {
		t.Errorf("the snapshot has %d bytes", size)
	}
}

func TestASnapshotIsNotTrustedBlindly(t *testing.T) {
	t.Parallel()
	whole := taken(t, stock.Decider.Fold(stock.State{}, registered, received, reserved("r", 4)))
	rows := map[string]struct {
		change func(*stock.StockSnapshotTaken)
		want   string
	}{
		"one of another format":        {func(s *stock.StockSnapshotTaken) { s.Format++ }, "format"},
		"one of another item":          {func(s *stock.StockSnapshotTaken) { s.SKU = "MUG-2" }, "another item"},
		"one of another place":         {func(s *stock.StockSnapshotTaken) { s.Location = "other" }, "another item"},
		"one of another revision":      {func(s *stock.StockSnapshotTaken) { s.Revision++ }, "checksum"},
		"one of another event":         {func(s *stock.StockSnapshotTaken) { s.EventID = "y" }, "checksum"},
		"one with a wrong bit":         {func(s *stock.StockSnapshotTaken) { s.State[len(s.State)/2] ^= 1 }, "checksum"},
		"one that is cut off":          {func(s *stock.StockSnapshotTaken) { s.State = s.State[:len(s.State)-1] }, "checksum"},
		"one with another checksum":    {func(s *stock.StockSnapshotTaken) { s.Checksum = strings.Repeat("0", 64) }, "checksum"},
		"one with nothing of what was": {func(s *stock.StockSnapshotTaken) { s.State = nil }, "checksum"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := whole
			changed.State = slices.Clone(whole.State)
			row.change(&changed)
			if s, err := changed.Open("main", "MUG-1"); err == nil || !strings.Contains(err.Error(), row.want) || s.Known() {
				t.Errorf("error = %v, want one about %q", err, row.want)
			}
		})
	}
	if _, err := whole.Open("main", "MUG-1"); err != nil {
		t.Error(err)
	}
}

// The golden snapshot is one of format 1, which is read still.
func TestTheGoldenSnapshotIsRead(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/StockSnapshotTaken.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden stock.StockSnapshotTaken
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	s, err := golden.Open("main", "MUG-1")
	if err != nil || s.OnHand != 9 || s.Reserved != 2 || s.Committed != 3 {
		t.Errorf("%d on hand, %d reserved, %d committed, %v; want 9, 2, 3", s.OnHand, s.Reserved, s.Committed, err)
	}
}

// What was forgotten is decided as if it had not been, with the help of the log.
func TestWhatIsForgottenIsRecalled(t *testing.T) {
	t.Parallel()
	long := noon.Add(24 * time.Hour)
	at := func(id string, expires time.Time) stock.StockReserved {
		r := reserved(id, 4)
		r.ExpiresAt = expires
		return r
	}
	history := events{
		registered,
		stock.StockReceived{SKU: "MUG-1", Location: "main", Quantity: 100, Ref: "d"},
		received,
		at("compensated", long), released("compensated", 4, stock.Compensation, false),
		at("expired", later), released("expired", 4, stock.Expired, false),
		at("shipped", later), committed("shipped", 4), shipped("shipped", "s1", 1), shipped("shipped", "s2", 3),
		stock.StockAdjusted{SKU: "MUG-1", Location: "main", Delta: -1, Reason: "lost", Ref: "a"},
		stock.StockReturned{SKU: "MUG-1", Location: "main", ReturnID: "x", Quantity: 2},
	}
	for i := range 3 { // which push the others out
		id := fmt.Sprint("later ", i)
		history = append(history, at(id, later), released(id, 4, stock.Declined, false),
			at("expired "+id, later), released("expired "+id, 4, stock.Expired, false),
			stock.StockReceived{SKU: "MUG-1", Location: "main", Quantity: 1, Ref: id})
	}
	s := stock.Decider.Fold(stock.Forgetful(2), history...)
	extended := at("expired", long.Add(1))
	commitAgain := at("expired", noon)
	rows := map[string]struct {
		command stock.Command
		then    events
		refused error
	}{
		"a reservation that was undone":       {stock.Reserve{ReservationID: "compensated", CheckoutID: "c", Quantity: 4, ExpiresAt: long, At: noon}, nil, stock.ErrConflict},
		"a reservation that was shipped":      {stock.Reserve{ReservationID: "shipped", CheckoutID: "c", Quantity: 4, ExpiresAt: later, At: noon}, nil, nil},
		"a reservation with another quantity": {stock.Reserve{ReservationID: "shipped", CheckoutID: "c", Quantity: 5, ExpiresAt: later, At: noon}, nil, stock.ErrConflict},
		"a new one that looks old":            {stock.Reserve{ReservationID: "new", CheckoutID: "c", Quantity: 4, ExpiresAt: later, At: noon}, events{at("new", later)}, nil},
		"a commitment of what was shipped":    {stock.Commit{ReservationID: "shipped", OrderID: "o", At: noon}, nil, nil},
		"a commitment to another order":       {stock.Commit{ReservationID: "shipped", OrderID: "p", At: noon}, nil, stock.ErrConflict},
		"a commitment of what expired":        {stock.Commit{ReservationID: "expired", OrderID: "o", At: noon}, events{commitAgain, committed("expired", 4)}, nil},
		"a commitment of what never was":      {stock.Commit{ReservationID: "never", OrderID: "o", At: noon}, nil, stock.ErrExpired},
		"an extension of what expired":        {stock.Extend{ReservationID: "expired", ExpiresAt: long.Add(1), At: noon}, events{extended}, nil},
		"an extension of what was undone":     {stock.Extend{ReservationID: "compensated", ExpiresAt: long.Add(1), At: noon}, nil, stock.ErrConflict},
		"a shipment":                          {stock.Ship{ReservationID: "shipped", ShipmentID: "s1", Quantity: 1}, nil, nil},
		"a shipment with another quantity":    {stock.Ship{ReservationID: "shipped", ShipmentID: "s1", Quantity: 2}, nil, stock.ErrIDReused},
		"a delivery":                          {stock.Receive{Location: "main", SKU: "MUG-1", Quantity: 100, Ref: "d"}, nil, nil},
		"a delivery with another quantity":    {stock.Receive{Location: "main", SKU: "MUG-1", Quantity: 99, Ref: "d"}, nil, stock.ErrIDReused},
		"an adjustment":                       {stock.Adjust{Delta: -1, Reason: "lost", Ref: "a"}, nil, nil},
		"a return":                            {stock.Return{Location: "main", SKU: "MUG-1", ReturnID: "x", Quantity: 2}, nil, nil},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := stock.Decider.Decide(s, row.command)
			memory, forgotten := stock.Forgotten(err)
			if !forgotten || !errors.Is(err, stock.ErrForgotten) {
				t.Fatalf("error = %v, want that it is forgotten", err)
			}
			for _, e := range history {
				memory = memory.With(e)
			}
			got, err := stock.Decider.Decide(s.Recall(memory), row.command)
			if diff := cmp.Diff(row.then, got); diff != "" || !errors.Is(err, row.refused) {
				t.Errorf("error = %v, want %v; events (-want +got):\n%s", err, row.refused, diff)
			}
		})
	}
	for name, c := range map[string]stock.Command{
		"a reservation that lasts longer than any forgotten one": stock.Reserve{ReservationID: "new", CheckoutID: "c", Quantity: 4, ExpiresAt: long.Add(1), At: noon},
		"a delivery that never was":                              stock.Receive{Location: "main", SKU: "MUG-1", Quantity: 1, Ref: "new"},
		"the release of what is over":                            stock.Release{ReservationID: "expired", Reason: stock.Compensation},
	} {
		if _, err := stock.Decider.Decide(s, c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A reservation is known by the latest time it ever had, also when it was made
// again for a shorter one, and across a snapshot.
func TestTheLatestTimeOfAReservationIsRemembered(t *testing.T) {
	t.Parallel()
	long, short := reserved("r", 1), reserved("r", 1)
	long.ExpiresAt, short.ExpiresAt = noon.Add(24*time.Hour), noon
	s := stock.Decider.Fold(stock.Forgetful(1), registered, received, long, released("r", 1, stock.Expired, false), short)
	s, err := taken(t, s).Open("main", "MUG-1")
	if err != nil {
		t.Fatal(err)
	}
	s = stock.Decider.Fold(s.Forget(1), released("r", 1, stock.Declined, false), reserved("q", 1), released("q", 1, stock.Declined, false))
	repeat := stock.Reserve{ReservationID: "r", CheckoutID: "c", Quantity: 1, ExpiresAt: long.ExpiresAt, At: noon}
	if _, err := stock.Decider.Decide(s, repeat); !errors.Is(err, stock.ErrForgotten) {
		t.Errorf("error = %v, want %v", err, stock.ErrForgotten)
	}
}
