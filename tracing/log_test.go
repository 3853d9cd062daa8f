package tracing_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/tracing"
)

func TestALogLineNamesItsTrace(t *testing.T) {
	t.Parallel()
	ctx, span := root(t)
	var out bytes.Buffer
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	logger := slog.New(tracing.LogHandler(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime})))

	logger.With("part", "api").InfoContext(ctx, "placed", "order", "o1")
	logger.InfoContext(t.Context(), "started")

	want := "level=INFO msg=placed part=api order=o1 trace_id=" + span.SpanContext().TraceID().String() +
		" span_id=" + span.SpanContext().SpanID().String() + "\nlevel=INFO msg=started\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
