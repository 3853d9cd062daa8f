package analytics

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/remote"
	"github.com/waybill-dev/waybill/handlers/effects"
)

// Name is the handler's that tells a collector.
const Name = "analytics"

// Collector tells a system of somebody else's of every event, by HTTP: POST
// /events with an Idempotency-Key that follows from the event. What is told is
// what stands in the log, without personal data.
type Collector struct{ Remote *remote.Client }

// Handle tells of an event: an [effects.Handler].
func (c *Collector) Handle(ctx context.Context, r eventstore.Recorded) error {
	if !slices.ContainsFunc(Prefixes(), func(prefix string) bool { return strings.HasPrefix(r.Stream, prefix) }) {
		return nil // a snapshot, for example
	}
	_, err := c.Remote.Do(ctx, remote.Call{Method: http.MethodPost, Path: "/events", Key: "ana:" + r.ID.String(), Body: RowOf(r)})
	if err = effects.OfRemote(err); err != nil {
		return fmt.Errorf("tell of %s %d of %s: %w", r.Type, r.Revision, r.Stream, err)
	}
	return nil
}
