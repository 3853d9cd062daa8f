package app

import (
	"testing"
	"time"
)

func TestAProjectionRestsByWhatItHasToDo(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, row := range []struct {
		name           string
		worked, within time.Duration
		events         int
		want           time.Duration
	}{
		{"one event after a pause", ms / 2, time.Hour, 1, 10 * ms},
		{"the first page of all", ms, time.Duration(1 << 62), 100, 10 * ms},
		{"a few events again and again", 3 * ms, 33 * ms, 4, 30 * ms},
		{"a page that took long", 50 * ms, 300 * ms, 10, 200 * ms},
		{"little work, many events", ms, 20 * ms, 10, 200 * ms},
		{"as many, after the long rest", 5 * ms, 205 * ms, 103, 200 * ms},
		{"fewer again: it does not stay slow", 2 * ms, 202 * ms, 60, 20 * ms},
	} {
		if got := rest(row.worked, row.within, row.events); got != row.want {
			t.Errorf("%s: rests %v, want %v", row.name, got, row.want)
		}
	}
}
