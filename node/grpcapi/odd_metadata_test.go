package grpcapi_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node/nodetest"
)

// What a stream of abcde shows, whose events are a minute old.
const (
	everything = "abcde"
	nobody     = "refused with 4" // as a stream that is not there
)

// oddMetadata is what a stream shows with it. Metadata is stored as it comes;
// when the database does not understand something that it knows, nothing of it
// counts.
var oddMetadata = map[string]string{
	`{"$maxCount":2}`: "de", `{"$maxAge":30}`: "", `{"$maxAge":90}`: everything, `{"$tb":2}`: "cde",
	`{"$tb":1,"$maxCount":2}`: "de", `{"$tb":4,"$maxCount":2}`: "e", `{"$maxCount":9}`: everything,

	`{"$maxCount":"2"}`: everything, `{"$maxAge":"30"}`: everything, `{"$tb":"2"}`: everything,
	`{"$maxCount":2.0}`: everything, `{"$maxAge":30.5}`: everything, `{"$tb":2e0}`: everything,
	`{"$maxCount":null}`: everything, `{"$tb":true}`: everything, `{"$tb":[2]}`: everything, `{"$tb":{"$tb":2}}`: everything,

	// A number that is none sets no limit; the rest counts.
	`{"$maxCount":0}`: everything, `{"$maxCount":-2}`: everything, `{"$maxAge":0}`: everything, `{"$maxAge":-30}`: everything, `{"$tb":-1}`: everything,
	`{"$maxCount":-2,"$tb":2}`: "cde", `{"$maxCount":0,"$tb":2}`: "cde", `{"$tb":-0,"$maxCount":2}`: "de",

	// A number beyond all is not understood.
	`{"$maxCount":9223372036854775807,"$tb":2}`: "cde", `{"$maxCount":9223372036854775808,"$tb":2}`: everything,
	`{"$maxAge":922337203685,"$tb":2}`: "cde", `{"$maxAge":922337203686,"$tb":2}`: everything,
	`{"$tb":9223372036854775807}`: nobody, `{"$tb":9223372036854775806}`: "", `{"$tb":9223372036854775808}`: everything,
	`{"$tb":5}`: "", `{"$tb":1e400}`: everything,

	// Of two fields of one name the last counts, but both must be understood.
	`{"$maxCount":1,"$maxCount":3}`: "cde", `{"$maxCount":"1","$maxCount":3}`: everything, `{"$maxCount":3,"$maxCount":"1"}`: everything,
	`{"$maxCount":3,"$maxCount":0}`: everything, `{"$tb":9223372036854775807,"$tb":3}`: "de",

	// One that is not understood takes the others with it.
	`{"$maxCount":2,"$tb":"x"}`: everything, `{"$maxCount":2,"$cacheControl":"10"}`: everything, `{"$maxCount":2,"$cacheControl":10}`: "de",
	`{"$maxCount":2,"$tempStream":1}`: everything, `{"$maxCount":2,"$tempStream":true}`: "de",
	`{"$maxCount":2,"$acl":null}`: everything, `{"$maxCount":2,"$acl":[]}`: everything, `{"$maxCount":2,"$acl":{}}`: "de",
	`{"$maxCount":2,"$acl":{"$r":"a","$w":["b","c"],"$d":[]}}`: "de", `{"$maxCount":2,"$acl":{"$r":1}}`: everything,
	`{"$maxCount":2,"$acl":{"$r":[null]}}`: everything, `{"$maxCount":2,"$acl":{"$x":"a"}}`: everything, `{"$maxCount":2,"$acl":{"$r":1,"$r":"a"}}`: everything,
	`{"$tb":9223372036854775807,"$maxCount":"2"}`: everything,

	// What it does not know may be anything.
	`{"$maxCount":2,"colour":{"$tb":4,"n":1e999}}`: "de", `{"$maxcount":2,"maxCount":2,"$MaxCount":2}`: everything,
	`{"\u0024maxCount":2}`: "de", " {\n\"$maxCount\" : 2 } ": "de",

	`{}`: everything, `[]`: everything, `null`: everything, `2`: everything, `"$maxCount"`: everything, `{`: everything,
	`{"$maxCount":2`: everything, `{"$maxCount":2,}`: everything, `{"$maxCount":}`: everything, `{"$maxCount":2}}`: "de", "\x00": everything,
}

// TestOddMetadata: it is stored and read back byte for byte, whatever it is, and
// a stream that it empties for good is there again with the next event.
func TestOddMetadata(t *testing.T) {
	t.Parallel()
	var later atomic.Int64 // seconds
	cfg := small()
	cfg.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load()) * time.Second) }
	c := connect(t, nodetest.New(t, nodetest.Config{Node: cfg}).ConnectionString())
	streams := map[string]string{}
	for metadata := range oddMetadata {
		streams[metadata] = fmt.Sprint("odd-", len(streams))
		mustAppend(t, c, streams[metadata], everything)
	}
	later.Store(60)
	for metadata, want := range oddMetadata {
		stream := streams[metadata]
		e := esdb.EventData{EventID: uuid.New(), EventType: "$metadata", ContentType: esdb.ContentTypeJson, Data: []byte(metadata)}
		if _, err := c.AppendToStream(deadline(t), "$$"+stream, revision(-1), e); err != nil {
			t.Errorf("%s: the answer is %v", metadata, err)
		}
		s, err := c.ReadStream(deadline(t), "$$"+stream, esdb.ReadStreamOptions{}, 10)
		if list := collect(t, s, err); len(list) != 1 || string(list[0].Event.Data) != metadata {
			t.Errorf("%s is read as %v", metadata, list)
		}
		read := reads(esdb.ReadStreamOptions{})
		if got := read(deadline(t), c, stream); got != want {
			t.Errorf("with %s the stream shows %q, want %q", metadata, got, want)
		}
		back := reads(esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}})
		if got := back(deadline(t), c, stream); got != mirrored(want) {
			t.Errorf("with %s the stream shows %q backwards", metadata, got)
		}
		mustAppend(t, c, stream, "f")
		if got := read(deadline(t), c, stream); want == nobody && got != "f" {
			t.Errorf("with %s the stream shows %q when it is written again", metadata, got)
		}
	}
}

func mirrored(letters string) string {
	if letters == nobody {
		return nobody
	}
	b := []byte(letters)
	for i := range len(b) / 2 {
		b[i], b[len(b)-1-i] = b[len(b)-1-i], b[i]
	}
	return string(b)
}
