// Package decidertest tests aggregates in the words of their events: given
// what happened, when a command comes, then these events follow or that rule
// refuses. It also guards stored events, which must be readable for ever.
package decidertest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
)

// Case is one example of how an aggregate decides. With neither Then nor
// Refused nothing is to happen.
type Case[C any, E domain.Event] struct {
	Name    string
	Given   []E
	When    C
	Then    []E
	Refused *domain.RuleError
}

// Run tries each case, and each accepted command a second time: a repeat must
// cause nothing.
func Run[S, C any, E domain.Event](t *testing.T, decider domain.Decider[S, C, E], cases []Case[C, E]) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			var zero S
			state := decider.Fold(zero, c.Given...)
			events, err := decider.Decide(state, c.When)
			if c.Refused != nil {
				refused(t, err, c.Refused, len(events))
				return
			}
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if diff := cmp.Diff(c.Then, events); diff != "" {
				t.Fatalf("events (-want +got):\n%s", diff)
			}
			again, err := decider.Decide(decider.Fold(state, events...), c.When)
			if err != nil || len(again) > 0 {
				t.Errorf("the same command again causes %v, %v", again, err)
			}
		})
	}
}

// refused compares the rule, and its particulars where the case names some.
func refused(t *testing.T, err error, want *domain.RuleError, events int) {
	t.Helper()
	if !errors.Is(err, want) || events > 0 {
		t.Fatalf("refused with %v and %d events, want rule %s", err, events, want.Code)
	}
	var got *domain.RuleError
	errors.As(err, &got)
	if want.Details != nil {
		if diff := cmp.Diff(want.Details, got.Details); diff != "" {
			t.Errorf("details (-want +got):\n%s", diff)
		}
	}
	if want.Mistakes != nil {
		if diff := cmp.Diff(want.Mistakes, got.Mistakes); diff != "" {
			t.Errorf("mistakes (-want +got):\n%s", diff)
		}
	}
}
