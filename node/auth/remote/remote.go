// Package remote keeps accounts in an event store that a client reaches: the
// node of another process, wherever it runs. Who uses it needs the rights of an
// administrator there.
package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/waybill-dev/waybill/node"
)

// A Log is the streams of another process. It implements auth.Log.
type Log struct{ client *esdb.Client }

// Open connects with a connection string, at the first use.
func Open(connection string) (*Log, error) {
	cfg, err := esdb.ParseConnectionString(connection)
	if err != nil {
		return nil, fmt.Errorf("understand the connection string: %w", err)
	}
	cfg.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return &Log{client}, nil
}

// Close ends the connection.
func (l *Log) Close() error { return l.client.Close() }

// Append adds one event to a stream.
func (l *Log) Append(ctx context.Context, stream string, expected node.Expected, e node.Event) error {
	content := esdb.ContentTypeBinary
	if e.JSON {
		content = esdb.ContentTypeJson
	}
	_, err := l.client.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: revision(expected)}, esdb.EventData{
		EventID: e.ID, EventType: e.Type, ContentType: content, Data: e.Data, Metadata: e.Metadata,
	})
	return explain(err)
}

func revision(expected node.Expected) esdb.ExpectedRevision {
	switch expected {
	case node.ExpectNoStream:
		return esdb.NoStream{}
	case node.ExpectAny:
		return esdb.Any{}
	case node.ExpectExists:
		return esdb.StreamExists{}
	}
	return esdb.Revision(uint64(expected))
}

// Last returns the data of a stream's newest event and its revision; no data
// when there is none.
func (l *Log) Last(ctx context.Context, stream string) ([]byte, uint64, error) {
	events, err := l.read(ctx, stream, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
	if err != nil || len(events) == 0 {
		return nil, 0, err
	}
	return events[0].Data, events[0].EventNumber, nil
}

// All returns the data of all events of a stream.
func (l *Log) All(ctx context.Context, stream string) ([][]byte, error) {
	events, err := l.read(ctx, stream, esdb.ReadStreamOptions{From: esdb.Start{}}, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	all := make([][]byte, len(events))
	for i, e := range events {
		all[i] = e.Data
	}
	return all, nil
}

// read takes a stream that was never written, or was deleted, for one without
// events.
func (l *Log) read(ctx context.Context, stream string, o esdb.ReadStreamOptions, count uint64) ([]*esdb.RecordedEvent, error) {
	s, err := l.client.ReadStream(ctx, stream, o, count)
	if err != nil {
		return nil, explain(err)
	}
	defer s.Close()
	var events []*esdb.RecordedEvent
	for {
		e, err := s.Recv()
		if gone := (*esdb.Error)(nil); errors.As(err, &gone) && (gone.Code() == esdb.ErrorCodeResourceNotFound || gone.Code() == esdb.ErrorCodeStreamDeleted) {
			return nil, nil
		}
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, explain(err)
		}
		events = append(events, e.Event)
	}
}

// explain says what to do where a person can do something.
func explain(err error) error {
	refused := (*esdb.Error)(nil)
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Code() {
	case esdb.ErrorCodeAccessDenied:
		return fmt.Errorf("the connection string has no credentials, or not those of an administrator: %w", err)
	case esdb.ErrorCodeUnauthenticated:
		return fmt.Errorf("the login or the password in the connection string is wrong, or the account is disabled: %w", err)
	case esdb.ErrorCodeWrongExpectedVersion:
		return fmt.Errorf("somebody else changed the account at the same time, try again: %w", err)
	default:
		return err
	}
}
