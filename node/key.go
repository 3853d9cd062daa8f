package node

import (
	"encoding/binary"
	"fmt"
)

// One ordered map holds everything. Numbers in keys are big-endian, so that
// the order of keys is the order of numbers.
//
//	L position            a record: the log, and the only copy of an event
//	S stream id, revision the record's position
//	N stream name         the stream's head
//	M name                about the store itself
//	V stream name         the head of a stream of the index
//	W stream id, revision the position of the record that it links to
const (
	logPrefix    = 'L'
	streamPrefix = 'S'
	namePrefix   = 'N'
	metaPrefix   = 'M'
	indexPrefix  = 'V'
	linkPrefix   = 'W'

	logKeySize    = 1 + 8
	streamKeySize = 1 + 8 + 8
)

const (
	metaFormat       = "format"
	metaNodeID       = "node-id"
	metaNextStreamID = "next-stream-id"
	metaScavenged    = "scavenged-to" // records before it may have been removed
)

func putLogKey(key []byte, position uint64) {
	key[0] = logPrefix
	binary.BigEndian.PutUint64(key[1:], position)
}

func logKey(position uint64) []byte {
	key := make([]byte, logKeySize)
	putLogKey(key, position)
	return key
}

func parseLogKey(key []byte) (position uint64, err error) {
	if len(key) != logKeySize || key[0] != logPrefix {
		return 0, fmt.Errorf("key %x is not one of the log", key)
	}
	return binary.BigEndian.Uint64(key[1:]), nil
}

func putStreamKey(key []byte, stream, revision uint64) {
	key[0] = streamPrefix
	binary.BigEndian.PutUint64(key[1:], stream)
	binary.BigEndian.PutUint64(key[9:], revision)
}

func streamKey(stream, revision uint64) []byte {
	key := make([]byte, streamKeySize)
	putStreamKey(key, stream, revision)
	return key
}

func linkKey(stream, revision uint64) []byte {
	key := streamKey(stream, revision)
	key[0] = linkPrefix
	return key
}

// parseStreamKey takes a key of a stream, or of one of the index.
func parseStreamKey(key []byte) (stream, revision uint64, err error) {
	if len(key) != streamKeySize || key[0] != streamPrefix && key[0] != linkPrefix {
		return 0, 0, fmt.Errorf("key %x is not one of a stream", key)
	}
	return binary.BigEndian.Uint64(key[1:]), binary.BigEndian.Uint64(key[9:]), nil
}

func parsePosition(value []byte) (uint64, error) {
	if len(value) != 8 {
		return 0, fmt.Errorf("a position has 8 bytes, not %d", len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

func nameKey(stream string) []byte { return append([]byte{namePrefix}, stream...) }

func indexKey(stream string) []byte { return append([]byte{indexPrefix}, stream...) }

func metaKey(name string) []byte { return append([]byte{metaPrefix}, name...) }

func putPosition(value []byte, position uint64) { binary.BigEndian.PutUint64(value, position) }

func encodePosition(position uint64) []byte { return binary.BigEndian.AppendUint64(nil, position) }
