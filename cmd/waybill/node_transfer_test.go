package main

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestATransferEndsWithTheStoreThatRunsForIt: it asks a store that is away again
// and again, and this one stays away.
func TestATransferEndsWithTheStoreThatRunsForIt(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left")
	failed := make(chan error, 1)
	err := unlessFailed(t.Context(), failed, func(ctx context.Context) error {
		failed <- full
		<-ctx.Done()
		return errors.New("no connection")
	})
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "run the same command again") {
		t.Errorf("the error is %v", err)
	}
	failed <- full
	if err := unlessFailed(t.Context(), failed, func(context.Context) error { return nil }); err != nil {
		t.Errorf("work that is done ends with %v", err)
	}
	other := errors.New("another")
	close(failed)
	if err := unlessFailed(t.Context(), make(chan error), func(context.Context) error { return other }); !errors.Is(err, other) || strings.Contains(err.Error(), "again") {
		t.Errorf("work that fails ends with %v", err)
	}
}
