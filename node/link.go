package node

import (
	"errors"
	"strconv"
	"strings"
)

// Link says what a link points at. ok is false for any other event, and for a
// link that cannot be understood.
func (r *Record) Link() (stream string, revision uint64, ok bool) {
	if r.Type != TypeLink {
		return "", 0, false
	}
	number, stream, found := strings.Cut(string(r.Data), "@")
	revision, err := strconv.ParseUint(number, 10, 63)
	if !found || err != nil || stream == "" {
		return "", 0, false
	}
	return stream, revision, true
}

// Resolve returns the event a link points at: nil when it was deleted, is
// beyond the limits of its stream, or never was.
func (n *Node) Resolve(link *Record) (*Record, error) {
	stream, revision, ok := link.Link()
	if !ok {
		return nil, nil
	}
	page, err := n.ReadStream(StreamRead{Stream: stream, From: revision, Limit: 1})
	if gone(err) {
		return nil, nil
	}
	if err != nil || len(page.Records) == 0 || page.Records[0].Revision != revision {
		return nil, err
	}
	return page.Records[0], nil
}

func gone(err error) bool {
	missing, deleted := (*NotFoundError)(nil), (*StreamDeletedError)(nil)
	return errors.As(err, &missing) || errors.As(err, &deleted)
}
