package eventstore

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// Config says which store to use, and how patiently.
type Config struct {
	// ConnectionString names the store: esdb://host:port?tls=false. Its
	// maxDiscoverAttempts and discoveryInterval have no effect, because
	// healing is done here.
	ConnectionString string
	// Codec decodes and encodes the events. Required.
	Codec *Codec
	// Logger hears when the store goes away and comes back. Required.
	Logger *slog.Logger
	// Connections is how many connections calls share, and how many more the
	// feeds share; each is made when first used. 0 means one for two processors,
	// at most 4: what many callers send on one connection takes fewer system
	// calls.
	Connections int
	// Timeout bounds each call, its repetitions included, where the caller's
	// context does not end earlier. 0 means 5 s.
	Timeout time.Duration
	// FirstRetry is the wait after the first failed attempt to connect or to
	// subscribe; it doubles up to LastRetry. 0 means 20 ms and 1 s.
	FirstRetry, LastRetry time.Duration
}

func (c Config) withDefaults() Config {
	if c.Connections == 0 {
		c.Connections = min(max(runtime.GOMAXPROCS(0)/2, 1), 4)
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.FirstRetry == 0 {
		c.FirstRetry = 20 * time.Millisecond
	}
	if c.LastRetry == 0 {
		c.LastRetry = time.Second
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Codec == nil {
		errs = append(errs, errors.New("a codec is required"))
	}
	if c.Logger == nil {
		errs = append(errs, errors.New("a logger is required"))
	}
	if c.Connections < 0 {
		errs = append(errs, fmt.Errorf("connections: %d is negative", c.Connections))
	}
	return errors.Join(errs...)
}

// settings reads the connection string. One discovery per connection is
// enough, see session.
func (c Config) settings() (*esdb.Configuration, error) {
	settings, err := esdb.ParseConnectionString(c.ConnectionString)
	if err != nil {
		return nil, fmt.Errorf("connection string: %w", err)
	}
	settings.MaxDiscoverAttempts = 1
	settings.DiscoveryInterval = 1
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("connection string: %w", err)
	}
	return settings, nil
}
