package stock

import "weak"

// Lane is what is in memory of an item.
type Lane = lane

// LaneOf returns an item's, as long as somebody needs it.
func (w *Writer) LaneOf(item Item) weak.Pointer[Lane] {
	l, _ := w.lanes.Peek(item)
	return weak.Make(l)
}
