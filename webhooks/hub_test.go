package webhooks

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
)

// TestTheHubTellsWhereItsPiecesEnd, so that nobody goes on after what was not in
// a piece, and whom it cannot serve any more.
func TestTheHubTellsWhereItsPiecesEnd(t *testing.T) {
	t.Parallel()
	at := func(positions ...eventstore.Position) (items []*item) {
		for _, position := range positions {
			items = append(items, &item{Recorded: eventstore.Recorded{Position: position, Data: []byte("12345678")}})
		}
		return items
	}
	type piece struct {
		Positions []eventstore.Position
		Through   eventstore.Position
		Known     bool
	}
	after := func(h *hub, position eventstore.Position, most int) (p piece) {
		t.Helper()
		b, _, ok := h.after(position, most)
		for _, it := range b.items {
			p.Positions = append(p.Positions, it.Position)
		}
		if p.Through, p.Known = b.through, ok; ok != h.covers(position) {
			t.Errorf("position %d is covered: %t", position, !ok)
		}
		return p
	}
	few, small := newHub(4, 1000, 100), newHub(1000, 4*8, 100)
	for _, h := range []*hub{few, small} {
		h.add(at(110, 120, 130), 135)
		for name, row := range map[string]struct {
			position eventstore.Position
			most     int
			want     piece
		}{
			"everything":            {100, 10, piece{[]eventstore.Position{110, 120, 130}, 135, true}},
			"as much as there is":   {100, 3, piece{[]eventstore.Position{110, 120, 130}, 135, true}},
			"less than there is":    {100, 2, piece{[]eventstore.Position{110, 120}, 120, true}},
			"in the middle":         {115, 1, piece{[]eventstore.Position{120}, 120, true}},
			"nothing more":          {135, 10, piece{nil, 135, true}},
			"beyond what was read":  {200, 10, piece{nil, 200, true}},
			"before it was started": {99, 10, piece{}},
		} {
			if diff := cmp.Diff(row.want, after(h, row.position, row.most)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		h.add(at(140, 150, 160), 160)
		for position, want := range map[eventstore.Position]piece{
			100: {}, 119: {},
			120: {[]eventstore.Position{130, 140, 150, 160}, 160, true},
			150: {[]eventstore.Position{160}, 160, true},
		} {
			if diff := cmp.Diff(want, after(h, position, 10)); diff != "" {
				t.Errorf("after it forgot, from %d (-want +got):\n%s", position, diff)
			}
		}
	}
}
