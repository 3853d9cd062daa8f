package persistent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/node"
)

// The groups of a node are one event of this type in this stream.
const (
	configStream = "$persistentSubscriptionConfig"
	configType   = "$PersistentConfig"

	configVersion = "2"
)

// storedConfig has the names of EventStoreDB, so that its tools can read it.
type storedConfig struct {
	Version   string        `json:"version"`
	Updated   time.Time     `json:"updated"`
	UpdatedBy string        `json:"updatedBy"`
	Entries   []storedEntry `json:"entries"`
}

type storedEntry struct {
	Stream                string        `json:"stream"`
	Group                 string        `json:"group"`
	Filter                *storedFilter `json:"filter"`
	ResolveLinkTos        bool          `json:"resolveLinkTos"`
	ExtraStatistics       bool          `json:"extraStatistics"`
	MessageTimeout        int64         `json:"messageTimeout"` // ms
	StartFrom             int64         `json:"startFrom"`
	StartPosition         string        `json:"startPosition"`
	LiveBufferSize        int           `json:"liveBufferSize"`
	HistoryBufferSize     int           `json:"historyBufferSize"`
	MaxRetryCount         int           `json:"maxRetryCount"`
	ReadBatchSize         int           `json:"readBatchSize"`
	CheckPointAfter       int64         `json:"checkPointAfter"` // ms
	MinCheckPointCount    int           `json:"minCheckPointCount"`
	MaxCheckPointCount    int           `json:"maxCheckPointCount"`
	MaxSubscriberCount    int           `json:"maxSubscriberCount"`
	NamedConsumerStrategy string        `json:"namedConsumerStrategy"`
	// LiveFrom is where the end was when the group was told to start there, so
	// that a group without a checkpoint loses nothing by a restart.
	LiveFrom *uint64 `json:"liveFrom,omitempty"`
}

type storedFilter struct {
	Context     string   `json:"context"`
	Type        string   `json:"type"`
	Data        string   `json:"data"`
	IsAllStream bool     `json:"isAllStream"`
	Prefixes    []string `json:"prefixes,omitempty"` // Data cannot tell a comma within one
}

const (
	contextStream = "streamid"
	contextType   = "eventtype"
	kindRegex     = "regex"
	kindPrefix    = "prefix"
)

var errConfig = errors.New("not a configuration of persistent subscriptions")

func decodeConfig(data []byte) (storedConfig, error) {
	var c storedConfig
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("%w: %w", errConfig, err)
	}
	if c.Version == "" {
		return c, fmt.Errorf("%w: it has no version", errConfig)
	}
	return c, nil
}

func storeFilter(f *node.Filter) *storedFilter {
	if f == nil {
		return nil
	}
	s := &storedFilter{Context: contextStream, Type: kindRegex, IsAllStream: true}
	if f.By == node.ByType {
		s.Context = contextType
	}
	if f.Regex != nil {
		s.Data = f.Regex.String()
		return s
	}
	s.Type, s.Prefixes = kindPrefix, f.Prefixes
	s.Data = strings.Join(f.Prefixes, ",")
	return s
}

func (s *storedFilter) filter() (*node.Filter, error) {
	if s == nil {
		return nil, nil
	}
	f := &node.Filter{By: node.ByStream, Prefixes: s.Prefixes}
	switch s.Context {
	case contextStream:
	case contextType:
		f.By = node.ByType
	default:
		return nil, fmt.Errorf("%w: its filter looks at %q", errConfig, s.Context)
	}
	switch s.Type {
	case kindRegex:
		return node.NewRegexFilter(f.By, s.Data)
	case kindPrefix:
		if f.Prefixes == nil {
			f.Prefixes = strings.Split(s.Data, ",")
		}
		return f, nil
	}
	return nil, fmt.Errorf("%w: its filter is a %q", errConfig, s.Type)
}

func storeEntry(d *Definition, liveFrom *uint64) storedEntry {
	s := &d.Settings
	e := storedEntry{
		Stream: d.Stream, Group: d.Group, Filter: storeFilter(d.Filter),
		ResolveLinkTos: s.ResolveLinks, ExtraStatistics: s.ExtraStatistics,
		MessageTimeout: s.MessageTimeout.Milliseconds(), StartPosition: d.startText(), StartFrom: -1,
		LiveBufferSize: s.LiveBuffer, HistoryBufferSize: s.HistoryBuffer, ReadBatchSize: s.ReadBatch,
		MaxRetryCount: s.MaxRetries, CheckPointAfter: s.CheckpointAfter.Milliseconds(),
		MinCheckPointCount: s.MinCheckpoint, MaxCheckPointCount: s.MaxCheckpoint,
		MaxSubscriberCount: s.MaxClients, NamedConsumerStrategy: s.Strategy, LiveFrom: liveFrom,
	}
	if d.Stream != All && !d.Start.End {
		e.StartFrom = d.Start.At
	}
	return e
}

// definition reports what is wrong with an entry that nobody could have made.
func (e *storedEntry) definition() (*Definition, error) {
	filter, err := e.Filter.filter()
	if err != nil {
		return nil, err
	}
	d := &Definition{Stream: e.Stream, Group: e.Group, Filter: filter, Settings: Settings{
		ResolveLinks: e.ResolveLinkTos, ExtraStatistics: e.ExtraStatistics,
		MessageTimeout: milliseconds(e.MessageTimeout), MaxRetries: e.MaxRetryCount,
		MaxClients: e.MaxSubscriberCount, Strategy: e.NamedConsumerStrategy,
		HistoryBuffer: e.HistoryBufferSize, LiveBuffer: e.LiveBufferSize, ReadBatch: e.ReadBatchSize,
		MinCheckpoint: e.MinCheckPointCount, MaxCheckpoint: e.MaxCheckPointCount,
		CheckpointAfter: milliseconds(e.CheckPointAfter),
	}}
	if d.Start, err = e.start(); err != nil {
		return nil, err
	}
	if err := d.check(node.FromEnd); err != nil {
		return nil, err
	}
	return d, d.checkBuffers()
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func (e *storedEntry) start() (s Start, err error) {
	text := e.StartPosition
	if text == "" {
		text = strconv.FormatInt(e.StartFrom, 10)
	}
	if e.Stream == All {
		s.At, s.Prepare, err = parsePosition(text)
	} else {
		s.At, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil {
		return s, fmt.Errorf("%w: it starts at %q", errConfig, text)
	}
	if s.At == -1 {
		return Start{End: true}, nil
	}
	return s, nil
}

// startText is how the original writes where a group starts.
func (d *Definition) startText() string {
	at, prepare := d.Start.At, d.Start.Prepare
	if d.Start.End {
		at, prepare = -1, -1
	}
	if d.Stream == All {
		return fmt.Sprintf("C:%d/P:%d", at, prepare)
	}
	return strconv.FormatInt(at, 10)
}

func parsePosition(text string) (commit, prepare int64, err error) {
	c, p, found := strings.Cut(text, "/")
	c, isCommit := strings.CutPrefix(c, "C:")
	p, isPrepare := strings.CutPrefix(p, "P:")
	if !found || !isCommit || !isPrepare {
		return 0, 0, fmt.Errorf("%q is not a position of the log", text)
	}
	if commit, err = strconv.ParseInt(c, 10, 64); err == nil {
		prepare, err = strconv.ParseInt(p, 10, 64)
	}
	return commit, prepare, err
}
