package grpcapi

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
)

// serverVersion is the version whose behaviour is followed. Clients parse it as
// three numbers.
const serverVersion = "24.6.0"

type features struct {
	serverfeatures.UnimplementedServerFeaturesServer
}

// GetSupportedMethods is what a client asks first on every connection. What is
// not listed, clients in some languages look for over HTTP.
func (features) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	const (
		streams      = "event_store.client.streams.streams"
		subscription = "event_store.client.persistent_subscriptions.persistentsubscriptions"
	)
	return &serverfeatures.SupportedMethods{
		EventStoreServerVersion: serverVersion,
		Methods: []*serverfeatures.SupportedMethod{
			method(streams, "read", "position", "events"),
			method(streams, "append"),
			method(streams, "batchappend", "deadline_duration"),
			method(streams, "delete"),
			method(streams, "tombstone"),
			method(subscription, "create", "stream", "all"),
			method(subscription, "update", "stream", "all"),
			method(subscription, "delete", "stream", "all"),
			method(subscription, "read", "stream", "all"),
			method(subscription, "getinfo", "stream", "all"),
			method(subscription, "replayparked", "stream", "all"),
			method(subscription, "list", "stream", "all"),
			method(subscription, "restartsubsystem", "stream", "all"),
		},
	}, nil
}

func method(service, name string, features ...string) *serverfeatures.SupportedMethod {
	return &serverfeatures.SupportedMethod{ServiceName: service, MethodName: name, Features: features}
}
