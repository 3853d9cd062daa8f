package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The types of events that mean something to the node itself.
const (
	TypeMetadata  = "$metadata"
	TypeLink      = "$>"
	TypeTombstone = "$streamDeleted"
)

const metadataPrefix = "$$"

// MetadataStream is where the limits and rights of a stream are written, as
// ordinary events of TypeMetadata. Only the last one counts and can be read.
func MetadataStream(stream string) string { return metadataPrefix + stream }

// described is the stream whose metadata the stream named stream holds.
func described(stream string) (string, bool) {
	return strings.CutPrefix(stream, metadataPrefix)
}

// limits are what a stream's metadata says about the events that can be read.
type limits struct {
	truncateBefore uint64
	maxCount       uint64 // 0 is no limit
	maxAge         uint64 // seconds; 0 is no limit
}

// maxAgeLimit keeps an age within what 100 ns ticks can count.
const maxAgeLimit = math.MaxInt64 / ticksPerSecond

const ticksPerSecond = 10_000_000

var errMetadata = errors.New("not stream metadata")

// parseLimits is as strict and as lenient as EventStoreDB: a number that is not
// positive is ignored, and when anything the database knows has the wrong kind
// of value, nothing of the metadata counts.
func parseLimits(r *Record) limits {
	if !r.JSON || len(r.Data) == 0 {
		return limits{}
	}
	l, err := decodeLimits(r.Data)
	if err != nil {
		return limits{}
	}
	return l
}

func decodeLimits(data []byte) (l limits, err error) {
	err = eachField(data, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "$maxCount":
			l.maxCount, err = positive(value, math.MaxInt64)
		case "$maxAge":
			l.maxAge, err = positive(value, maxAgeLimit)
		case "$tb":
			l.truncateBefore, err = positive(value, math.MaxInt64)
		case "$cacheControl":
			_, err = positive(value, maxAgeLimit)
		case "$tempStream":
			var b *bool
			if err = json.Unmarshal(value, &b); err == nil && b == nil {
				err = errMetadata
			}
		case "$acl":
			err = checkACL(value)
		}
		return err
	})
	if err != nil {
		return limits{}, err
	}
	return l, nil
}

// MetadataCounts reports whether metadata says anything, about limits and about
// rights: nothing of it does when something in it is not understood.
func MetadataCounts(data []byte) bool {
	_, err := decodeLimits(data)
	return err == nil
}

// eachField calls f for the fields of an object in their order, also for one
// that stands there twice: the last counts, but each must be understood.
func eachField(data []byte, f func(name string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return errors.Join(errMetadata, err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err = d.Decode(&value); err == nil {
			err = f(fmt.Sprint(name), value)
		}
		if err != nil {
			return fmt.Errorf("%v: %w", name, err)
		}
	}
	_, err := d.Token()
	return err
}

// positive is 0 for a number that sets no limit.
func positive(value json.RawMessage, most int64) (uint64, error) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n > most {
		return 0, errMetadata
	}
	return uint64(max(n, 0)), nil
}

func checkACL(value json.RawMessage) error {
	return eachField(value, func(name string, value json.RawMessage) error {
		switch name {
		case "$r", "$w", "$d", "$mr", "$mw":
			return checkRoles(value)
		}
		return errMetadata
	})
}

func checkRoles(value json.RawMessage) error {
	var one *string
	if err := json.Unmarshal(value, &one); err == nil && one != nil {
		return nil
	}
	var list []*string
	if err := json.Unmarshal(value, &list); err != nil || list == nil || slices.Contains(list, nil) {
		return errMetadata
	}
	return nil
}

// deletedMetadata replaces all metadata of a stream that is deleted.
func deletedMetadata() []byte {
	return fmt.Appendf(nil, `{"$tb":%d}`, int64(deletedBefore))
}

// undeleted is the metadata of a stream that is written again from revision on:
// all it said before, but for where the stream begins. It is nil when the
// metadata is no JSON object, in which case the stream was not deleted.
func undeleted(data []byte, from uint64) []byte {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return nil
	}
	fields["$tb"] = strconv.AppendUint(nil, from, 10)
	out, err := json.Marshal(fields)
	if err != nil {
		return nil
	}
	return out
}
