// Package tracing lets one trace lead from a shopper's request to a partner's
// receiver. It sets OpenTelemetry up and wraps the other packages from outside:
// they know nothing of it, and without it they do the same. What it promises
// even when nothing is exported is a valid traceparent in every stored event.
// It must not know what any event means, nor change what anybody does.
//
// Call [Setup] before anything is wrapped: a wrapper asks once whether spans
// are wanted.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

const scope = "github.com/waybill-dev/waybill/tracing"

// Config says whose spans they are.
type Config struct {
	Service string // service.name, unless OTEL_SERVICE_NAME says otherwise
	Version string // service.version
}

// Setup starts the export of spans if the standard OTEL environment variables
// ask for it: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER and their
// relatives. If they do not, no span is ever recorded. The function it returns
// sends what is still waiting, and stops.
func Setup(ctx context.Context, cfg Config) (shutdown func(context.Context) error, err error) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	if !wanted() {
		otel.SetTracerProvider(noop.NewTracerProvider())
		return func(context.Context) error { return nil }, nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("set up the export of spans: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithHost(),
		resource.WithTelemetrySDK(),
		resource.WithAttributes(
			attribute.String("service.name", cfg.Service),
			attribute.String("service.version", cfg.Version),
		),
		resource.WithFromEnv(), // last, so that it wins
	)
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, errors.Join(fmt.Errorf("describe this program to tracing: %w", err), exporter.Shutdown(ctx))
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	otel.SetTracerProvider(provider)
	return provider.Shutdown, nil
}

// wanted reports whether the environment asks for spans. Its own default, a
// collector on localhost, is not taken: most people have none.
func wanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	switch os.Getenv("OTEL_TRACES_EXPORTER") {
	case "none":
		return false
	case "":
		return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	}
	return true
}

// enabled reports whether spans may be recorded in this process.
func enabled() bool {
	_, off := otel.GetTracerProvider().(noop.TracerProvider)
	return !off
}

func tracer() trace.Tracer { return otel.Tracer(scope) }
