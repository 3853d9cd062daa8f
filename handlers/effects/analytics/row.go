// Package analytics gives every event to those who count and compare: as
// Parquet files by day, and to a collector over HTTP. The files promise each
// event exactly once, in the order of the log, whenever the process ends; the
// collector is told at least once, with a key to tell a repeat. Neither has
// personal data, because events have none.
package analytics

import (
	"strings"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// Row is an event in a file, or as a collector is told of it.
type Row struct {
	EventID     string    `json:"event_id" parquet:"event_id"`
	Type        string    `json:"type" parquet:"type,dict"`
	Category    string    `json:"category" parquet:"category,dict"` // what stands before the first "-" of the stream
	Stream      string    `json:"stream" parquet:"stream"`
	Revision    int64     `json:"revision" parquet:"revision"`
	Position    int64     `json:"position" parquet:"position"` // in the log; grows, with gaps
	RecordedAt  time.Time `json:"recorded_at" parquet:"recorded_at,timestamp(millisecond)"`
	Correlation string    `json:"correlation_id,omitempty" parquet:"correlation_id"`
	Causation   string    `json:"causation_id,omitempty" parquet:"causation_id"`
	TraceID     string    `json:"trace_id,omitempty" parquet:"trace_id"`
	Schema      int32     `json:"schema" parquet:"schema"`
	Data        string    `json:"data" parquet:"data,zstd"` // JSON, in that schema
}

// Prefixes are the streams of business: those of keys, endpoints, jobs and
// callbacks are for the platform itself.
func Prefixes() []string {
	return []string{"order-", "checkout-", "checkoutfailure-", "payment-", "stock-", "product-", "customer-", "draft-", "creditnote-"}
}

// RowOf makes a row of an event. Metadata that cannot be read is left out: it
// is no reason to leave out the event.
func RowOf(r eventstore.Recorded) Row {
	category, _, _ := strings.Cut(r.Stream, "-")
	row := Row{
		EventID: r.ID.String(), Type: r.Type, Category: category, Stream: r.Stream, Revision: int64(r.Revision), Position: int64(r.Position), //nolint:gosec // half of the room is more than enough
		RecordedAt: r.Created.UTC().Truncate(time.Millisecond), Schema: 1, Data: string(r.Data),
	}
	if meta, err := r.Metadata(); err == nil {
		row.Correlation, row.Causation, row.TraceID = meta.CorrelationID, meta.CausationID, meta.TraceID
		row.Schema = int32(max(meta.Schema, 1)) //nolint:gosec // a handful
	}
	return row
}
