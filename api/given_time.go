package api

import (
	"reflect"
	"time"
)

// givenTime is a time in a query, or the zero one where none is given. The zero
// time itself, which a caller may name too, is taken for the next moment: like
// it, that is before everything there is.
type givenTime struct{ time.Time }

// Receiver implements [huma.ParamWrapper].
func (t *givenTime) Receiver() reflect.Value { return reflect.ValueOf(&t.Time).Elem() }

// OnParamSet implements [huma.ParamReactor].
func (t *givenTime) OnParamSet(isSet bool, _ any) {
	if isSet {
		t.Time = given(&t.Time)
	}
}

// given is the same for a time in a body.
func given(t *time.Time) time.Time {
	switch {
	case t == nil:
		return time.Time{}
	case t.IsZero():
		return t.Add(time.Nanosecond)
	}
	return *t
}
