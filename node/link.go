package node

import (
	"errors"
	"strconv"
	"strings"
)

// Link says what a link points at, as EventStoreDB reads it: revision -1 is the
// newest event, and a number alone names no stream. ok is false for any other
// event, and for a link that begins with no number.
func (r *Record) Link() (stream string, revision int64, ok bool) {
	if r.Type != TypeLink {
		return "", 0, false
	}
	number, stream, _ := strings.Cut(string(r.Data), "@")
	revision, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil {
		return "", 0, false
	}
	return stream, revision, true
}

// Resolve returns the event a link points at: nil when it was deleted, is
// beyond the limits of its stream, or never was.
func (n *Node) Resolve(link *Record) (*Record, error) {
	stream, revision, ok := link.Link()
	if !ok || stream == "" || revision < -1 {
		return nil, nil
	}
	read := StreamRead{Stream: stream, From: uint64(revision), Limit: 1, Backwards: revision < 0} // -1 is FromEnd
	page, err := n.ReadStream(read)
	if gone(err) {
		return nil, nil
	}
	if err != nil || len(page.Records) == 0 {
		return nil, err
	}
	wanted := uint64(revision)
	if read.Backwards {
		wanted = page.StreamLast
	}
	if page.Records[0].Revision != wanted {
		return nil, nil
	}
	return page.Records[0], nil
}

func gone(err error) bool {
	missing, deleted := (*NotFoundError)(nil), (*StreamDeletedError)(nil)
	return errors.As(err, &missing) || errors.As(err, &deleted)
}
