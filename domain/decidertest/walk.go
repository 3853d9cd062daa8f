package decidertest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/domain"
)

// Step is one command of a walk, and what came of it.
type Step[S, C, E any] struct {
	Before, After S
	Command       C
	Events        []E
	Err           error // a rule's refusal
}

// Walk lets an aggregate decide commands one after another, and checks what
// holds of every aggregate: deciding depends on the state alone and does not
// change it, only a rule refuses, and a command that was accepted causes nothing
// the second time. What else must hold is judged step by step.
func Walk[S, C any, E domain.Event](t *testing.T, d domain.Decider[S, C, E], steps int, next func(S) C, judge func(Step[S, C, E])) {
	t.Helper()
	var s S
	for range steps {
		c := next(s)
		before := fmt.Sprintf("%+v", s)
		events, err := d.Decide(s, c)
		step := Step[S, C, E]{Before: s, Command: c, Events: events, Err: err, After: d.Fold(s, events...)}
		var rule *domain.RuleError
		switch again, second := d.Decide(s, c); {
		case err != nil && (!errors.As(err, &rule) || len(events) > 0):
			t.Fatalf("%T%+v of %s: %v with %+v", c, c, before, err, events)
		case fmt.Sprintf("%+v %v", events, err) != fmt.Sprintf("%+v %v", again, second):
			t.Fatalf("%T%+v of %s: %+v, %v, and the second time %+v, %v", c, c, before, events, err, again, second)
		case fmt.Sprintf("%+v", s) != before:
			t.Fatalf("%T%+v changed the state it was decided on from %s to %+v", c, c, before, s)
		}
		if err == nil {
			if again, err := d.Decide(step.After, c); err != nil || len(again) > 0 {
				t.Fatalf("%T%+v of %s again: %+v, %v", c, c, before, again, err)
			}
		}
		judge(step)
		s = step.After
	}
}
