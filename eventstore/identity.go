package eventstore

import (
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// EventID returns the id of the event that a command causes at a place of its
// answer, counted from 0. The same command on the same stream gives the same
// ids, by which the store recognises a repeated append.
func EventID(stream, commandID string, index int) uuid.UUID {
	return derive("event", stream, commandID, strconv.Itoa(index))
}

// DeriveID returns the id of something that follows from other things, as
// text: the same kind and parts always give the same id, and different ones
// never do.
func DeriveID(kind string, parts ...string) string {
	return derive(kind, parts...).String()
}

// derive gives each part its length, so that no two lists of parts read the
// same. Stored ids depend on every byte of this: it can never change.
func derive(kind string, parts ...string) uuid.UUID {
	var text strings.Builder
	text.WriteString("waybill")
	for _, part := range append([]string{kind}, parts...) {
		text.WriteByte(' ')
		text.WriteString(strconv.Itoa(len(part)))
		text.WriteByte(':')
		text.WriteString(part)
	}
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(text.String()))
}
