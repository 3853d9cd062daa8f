package domain

import "time"

// Recordable reports whether an event can have a time, and every reader of the
// event can read it: it lies in the years 1 to 9999 of UTC, and its zone is less
// than a day from there. Parsing accepts more.
func Recordable(t time.Time) bool {
	const day = 24 * 60 * 60
	_, offset := t.Zone()
	year := t.UTC().Year()
	return 1 <= year && year <= 9999 && -day < offset && offset < day
}
