package persistent

import (
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/node"
)

// All is the name of the stream of a group that follows the whole log.
const All = "$all"

// The strategies, which say who of a group's clients gets a message.
const (
	// RoundRobin takes turns.
	RoundRobin = "RoundRobin"
	// DispatchToSingle fills one client before it turns to the next.
	DispatchToSingle = "DispatchToSingle"
	// Pinned gives the events of one stream to one client.
	Pinned = "Pinned"
	// PinnedByCorrelation gives the events of one correlation id to one client.
	PinnedByCorrelation = "PinnedByCorrelation"
)

// A Definition is what a group is made from.
type Definition struct {
	Stream, Group string
	Filter        *node.Filter // of a group of All; nil is everything
	Start         Start
	Settings      Settings
	By            string // who asked for it
}

// Start is the first event a new group gets: a revision of its stream, or a
// position of the log.
type Start struct {
	End     bool // whatever is stored from now on
	At      int64
	Prepare int64 // of a position, beside At; at most At
}

// Settings are those of EventStoreDB, under the names its clients use.
type Settings struct {
	ResolveLinks    bool
	ExtraStatistics bool // latencies of each client

	MessageTimeout time.Duration // after which a message is delivered again; 0 is the next tick
	MaxRetries     int           // after which a message is parked
	MaxClients     int           // 0 is no limit
	Strategy       string

	HistoryBuffer int // messages in memory that nobody has yet
	LiveBuffer    int // kept for GetInfo: what is live is read from the node's own memory
	ReadBatch     int // messages read at a time; 0 is 20

	MinCheckpoint   int           // messages done before time makes a checkpoint
	MaxCheckpoint   int           // messages done that make a checkpoint at once
	CheckpointAfter time.Duration // between two checkpoints by time; 0 is never
}

const defaultBatch = 20

func (s *Settings) batch() int {
	if s.ReadBatch == 0 {
		return defaultBatch
	}
	return s.ReadBatch
}

// check is everything but whether the group exists. end is where the log ends.
func (d *Definition) check(end uint64) error {
	if d.Stream == "" {
		return d.failed("Bad stream name.")
	}
	if err := node.ValidStream(parkedStream(d.Stream, d.Group)); err != nil {
		return err
	}
	switch d.Settings.Strategy {
	case RoundRobin, DispatchToSingle, Pinned, PinnedByCorrelation:
	default:
		return d.failed(fmt.Sprintf("Consumer strategy %s does not exist.", d.Settings.Strategy))
	}
	return d.checkStart(end)
}

func (d *Definition) checkStart(end uint64) error {
	s := d.Start
	switch {
	case s.End:
		return nil
	case d.Stream != All && s.At < 0:
		return d.failed("Invalid Start From position: event number must be greater than or equal to -1.")
	case d.Stream != All:
		return nil
	case s.Prepare > s.At:
		return d.failed("Invalid Start From position: prepare position must be less than or equal to the commit position.")
	case s.At > 0 && uint64(s.At) >= end:
		return d.failed("Invalid Start From position: commit position must be less than or equal to the last commit position in the transaction file.")
	case s.At < 0 || s.Prepare < 0:
		return d.failed("Invalid Start From position: prepare and commit positions must be greater than or equal to 0 or both equal to -1.")
	}
	return nil
}

// checkBuffers is apart because the original looks at it last.
func (d *Definition) checkBuffers() error {
	s := &d.Settings
	if s.ReadBatch >= s.HistoryBuffer {
		return d.failed("Specified argument was out of the range of valid values. (Parameter 'ReadBatchSize may not be greater than or equal to BufferSize')")
	}
	if s.ReadBatch < 0 || s.LiveBuffer < 0 {
		return d.failed("Specified argument was out of the range of valid values. (Parameter 'a buffer may not have a negative size')")
	}
	return nil
}

func (d *Definition) key() string { return key(d.Stream, d.Group) }

func (d *Definition) failed(reason string) error {
	return &Error{Kind: Failed, Stream: d.Stream, Group: d.Group, Reason: reason}
}

func key(stream, group string) string { return stream + "::" + group }

const statePrefix = "$persistentsubscription-"

func checkpointStream(stream, group string) string {
	return statePrefix + key(stream, group) + "-checkpoint"
}

func parkedStream(stream, group string) string {
	return statePrefix + key(stream, group) + "-parked"
}
