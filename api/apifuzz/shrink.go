package apifuzz

import (
	"context"
	"iter"
	"maps"
	"slices"
)

// shrink looks for a smaller request with the same complaint. A new
// Idempotency-Key each time keeps answers from being repeated; where that
// changes the answer, the request stays as it is.
func (s *session) shrink(ctx context.Context, r *request, wrong *complaint) (*request, *complaint) {
	sent := 0
	again := func(candidate *request) *complaint {
		sent++
		if s.madeKey(candidate.header[keyHeader]) && r.first == nil {
			candidate.header[keyHeader] = s.freshKey()
		}
		return s.document.judge(candidate, s.send(ctx, candidate))
	}
	if same := again(r.clone()); r.first != nil || !wrong.sameKind(same) {
		return r, wrong
	}
	for smaller := true; smaller; {
		smaller = false
		for candidate := range simpler(r) {
			if sent > 300 {
				return r, wrong
			}
			if found := again(candidate); wrong.sameKind(found) {
				r, wrong, smaller = candidate, found, true
				break
			}
		}
	}
	return r, wrong
}

// simpler are requests that each lack one thing.
func simpler(r *request) iter.Seq[*request] {
	return func(yield func(*request) bool) {
		for _, name := range slices.Sorted(keysOf(r.query)) {
			c := r.clone()
			if c.query.Del(name); !yield(c) {
				return
			}
		}
		for _, name := range slices.Sorted(keysOf(r.header)) {
			c := r.clone()
			if delete(c.header, name); !yield(c) {
				return
			}
		}
		if r.raw != nil {
			for _, half := range [][]byte{r.raw[:len(r.raw)/2], r.raw[len(r.raw)/2:]} {
				c := r.clone()
				if c.raw = half; len(half) < len(r.raw) && !yield(c) {
					return
				}
			}
			return
		}
		for value := range simplerValues(r.value) {
			c := r.clone()
			if c.value = value; !yield(c) {
				return
			}
		}
	}
}

// simplerValues are values that each lack one thing, the largest first.
func simplerValues(value any) iter.Seq[any] {
	return func(yield func(any) bool) {
		switch value := value.(type) {
		case map[string]any:
			simplerObjects(value, yield)
		case []any:
			simplerArrays(value, yield)
		case string:
			if runes := []rune(value); len(runes) > 1 {
				_ = yield(string(runes[:len(runes)/2])) && yield(string(runes[len(runes)/2:]))
			}
		}
	}
}

func simplerObjects(value map[string]any, yield func(any) bool) {
	for _, name := range sortedKeys(value) {
		c := maps.Clone(value)
		if delete(c, name); !yield(c) {
			return
		}
	}
	for _, name := range sortedKeys(value) {
		for inner := range simplerValues(value[name]) {
			c := maps.Clone(value)
			if c[name] = inner; !yield(c) {
				return
			}
		}
	}
}

func simplerArrays(value []any, yield func(any) bool) {
	if half := len(value) / 2; half > 1 && (!yield(slices.Clone(value[:half])) || !yield(slices.Clone(value[half:]))) {
		return
	}
	for i := range min(len(value), 20) {
		if !yield(slices.Delete(slices.Clone(value), i, i+1)) {
			return
		}
	}
	for i := range min(len(value), 20) {
		for inner := range simplerValues(value[i]) {
			c := slices.Clone(value)
			if c[i] = inner; !yield(c) {
				return
			}
		}
	}
}

func keysOf[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }
