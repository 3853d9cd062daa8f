package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// A fixture is what the client's tests expect of the populated database.
type fixture struct {
	records []record   // in the order of their positions
	series  []location // of the first events whose type begins with seriesPrefix
}

// seriesPrefix is what one of the client's tests filters $all by.
const seriesPrefix = "eventType-194"

type location struct {
	position, revision uint64
}

// A record is an event with the place in the log where the tests expect it.
type record struct {
	location
	stream  string
	created time.Time
	event   node.Event
}

// readFixture reads the files under dir, which is resources/test of the
// client's module.
func readFixture(dir string) (*fixture, error) {
	f := &fixture{}
	known := map[uint64]bool{}
	for _, name := range []string{
		"all-e0-e10", "all-c1788-p1788", "all-back-c3386-p3386", "all-back-e0-e10",
		"dataset20M-1800-e0-e10", "dataset20M-1800-e1999-e1990",
	} {
		records, err := readRecords(filepath.Join(dir, name+".json"))
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			if !known[r.position] {
				known[r.position] = true
				f.records = append(f.records, r)
			}
		}
	}
	slices.SortFunc(f.records, func(a, b record) int { return int(int64(a.position) - int64(b.position)) })
	var err error
	f.series, err = readSeries(dir)
	return f, err
}

func readRecords(path string) ([]record, error) {
	var entries []struct {
		Event struct {
			StreamID       string
			StreamRevision struct{ Value uint64 }
			EventID        uuid.UUID
			EventType      string
			EventData      []byte
			UserMetadata   []byte
			ContentType    string
			Position       struct{ Commit uint64 }
			Created        struct{ Seconds, Nanos int64 }
		}
	}
	if err := readJSON(path, &entries); err != nil {
		return nil, err
	}
	records := make([]record, 0, len(entries))
	for _, e := range entries {
		e := e.Event
		records = append(records, record{
			location: location{position: e.Position.Commit, revision: e.StreamRevision.Value},
			stream:   e.StreamID,
			created:  time.Unix(e.Created.Seconds, e.Created.Nanos),
			event: node.Event{
				ID: e.EventID, Type: e.EventType, JSON: strings.HasSuffix(e.ContentType, "/json"),
				Data: e.EventData, Metadata: e.UserMetadata,
			},
		})
	}
	return records, nil
}

func readSeries(dir string) ([]location, error) {
	var positions []struct{ Commit uint64 }
	if err := readJSON(filepath.Join(dir, "all-positions-filtered-stream-194-e0-e30.json"), &positions); err != nil {
		return nil, err
	}
	var revisions []uint64
	if err := readJSON(filepath.Join(dir, "all-versions-filtered-stream-194-e0-e30.json"), &revisions); err != nil {
		return nil, err
	}
	if len(positions) != len(revisions) {
		return nil, fmt.Errorf("the client's fixtures have %d positions of %d revisions", len(positions), len(revisions))
	}
	series := make([]location, 0, len(positions))
	for i, p := range positions {
		series = append(series, location{position: p.Commit, revision: revisions[i]})
	}
	return series, nil
}

func readJSON(path string, v any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the client's fixtures: %w", err)
	}
	if err := json.Unmarshal(content, v); err != nil {
		return fmt.Errorf("read the client's fixtures: %s: %w", path, err)
	}
	return nil
}
