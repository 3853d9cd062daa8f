package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodebench"
)

// filled is an event that says nothing.
type filled struct {
	Text string `json:"text"`
}

// EventName implements [domain.Event].
func (filled) EventName() string { return "Filled" }

// platformClient appends as the platform does: all events through one call that
// stays open.
type platformClient struct{ *eventstore.Client }

func connectAsPlatform(address string) (nodebench.Appender, error) {
	codec, err := eventstore.NewCodec(domain.EventType{Zero: filled{}})
	if err != nil {
		return nil, err
	}
	client, err := eventstore.NewClient(eventstore.Config{
		ConnectionString: address, Codec: codec, Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute,
	})
	return platformClient{client}, err
}

// Append implements [nodebench.Appender].
func (c platformClient) Append(ctx context.Context, stream string, last int64, data []byte) error {
	_, err := c.Client.Append(ctx, stream, eventstore.Revision(last), eventstore.NewEvent{ID: uuid.New(), Event: filled{Text: string(data)}})
	return err
}
