package eventstore

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// GroupConfig says what a persistent subscription of the store delivers, to
// whom, and how patiently.
type GroupConfig struct {
	Client *Client      // required
	Logger *slog.Logger // required

	// Name is that of the group. Subscribers with the same name, in any number of
	// processes, share its messages; the store keeps how far the group is under
	// it. Required.
	Name string

	// Prefixes are what the names of the streams begin with whose events are
	// wanted, Types the stored names of the events: one of the two, of the whole
	// log. None of them means the one stream that is named as the topic. A group
	// keeps what it was made with: other events need a group of another name.
	Prefixes, Types []string

	// FromEnd has a new group begin with what is appended after it was made. It
	// begins with the first event otherwise.
	FromEnd bool

	// Strategy is who gets a message. Empty means RoundRobin.
	Strategy Strategy

	// Buffer is how many messages a subscription is given at once: as many may be
	// handled at the same time, and no more come before one is answered. 0 means 16.
	Buffer int

	// MessageTimeout is how long a message may be unanswered before the store
	// gives it to another subscriber, too. 0 means a minute.
	MessageTimeout time.Duration

	// MaxRetries is how often the store gives out a message again by itself before
	// it parks it. 0 means that it never does: whoever handles it decides, see
	// [Park].
	MaxRetries int

	// CheckpointAfter is how often the store keeps how far the group is. What came
	// after is given out again when the store restarts. 0 means two seconds.
	CheckpointAfter time.Duration

	// Pause is the wait before a refused message is given back. 0 means 1 s.
	Pause time.Duration
}

// A Strategy is how the store chooses the subscriber for a message.
type Strategy string

const (
	// RoundRobin gives the messages to the subscribers in turn.
	RoundRobin Strategy = "RoundRobin"
	// DispatchToSingle gives all messages to one subscriber until it has its
	// buffer full.
	DispatchToSingle Strategy = "DispatchToSingle"
	// Pinned gives the events of one stream to the same subscriber, as long as it
	// is there and has room.
	Pinned Strategy = "Pinned"
)

const never = 1 << 30 // as a number of retries

func (c GroupConfig) withDefaults() GroupConfig {
	set(&c.Strategy, RoundRobin)
	set(&c.Buffer, 16)
	set(&c.MessageTimeout, time.Minute)
	set(&c.MaxRetries, never)
	set(&c.CheckpointAfter, 2*time.Second)
	set(&c.Pause, time.Second)
	return c
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c GroupConfig) validate(topic string) error {
	switch {
	case c.Client == nil || c.Logger == nil:
		return errors.New("a client and a logger are required")
	case c.Name == "" || strings.ContainsAny(c.Name, "\n\r"):
		return fmt.Errorf("the group's name %q is no line of text", c.Name)
	case len(c.Prefixes) > 0 && len(c.Types) > 0:
		return errors.New("a group has prefixes of streams or types of events, not both")
	case slices.Contains(c.Prefixes, "") || slices.Contains(c.Types, ""):
		return errors.New("an empty prefix or type would be every event, those of the store included")
	case c.stream(topic) == "" && !c.all():
		return errors.New("the topic is empty, and the group has no prefixes or types")
	case c.Buffer < 0 || c.MaxRetries < 0 || c.MessageTimeout < 0 || c.CheckpointAfter < 0:
		return errors.New("a setting is below zero")
	case !slices.Contains([]Strategy{"", RoundRobin, DispatchToSingle, Pinned}, c.Strategy):
		return fmt.Errorf("strategy %q is none of %s, %s, %s", c.Strategy, RoundRobin, DispatchToSingle, Pinned)
	}
	return nil
}

// all tells whether the group is one of the whole log.
func (c *GroupConfig) all() bool { return len(c.Prefixes)+len(c.Types) > 0 }

// stream is that of the group, if it is one of a stream.
func (c *GroupConfig) stream(topic string) string {
	if c.all() {
		return ""
	}
	return topic
}

func (c *GroupConfig) filter() *esdb.SubscriptionFilter {
	if len(c.Types) > 0 {
		// Prefixes of types would let longer names pass.
		return &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Regex: anyOf(c.Types)}
	}
	return &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: c.Prefixes}
}

func (c *GroupConfig) settings() *esdb.PersistentSubscriptionSettings {
	s := esdb.SubscriptionSettingsDefault()
	s.ConsumerStrategyName = esdb.ConsumerStrategy(c.Strategy)
	s.MessageTimeout = milliseconds(c.MessageTimeout)
	s.MaxRetryCount = int32(min(c.MaxRetries, never)) //nolint:gosec // bounded
	s.CheckpointAfter = milliseconds(c.CheckpointAfter)
	s.CheckpointLowerBound = 1
	return &s
}

func milliseconds(d time.Duration) int32 {
	const most = 24 * time.Hour
	return int32(min(d, most).Milliseconds()) //nolint:gosec // bounded
}
