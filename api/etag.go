package api

import (
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/eventstore"
)

// etag is the strong entity tag of what a stream says at a revision.
func etag(r eventstore.Revision) string { return `"` + strconv.FormatInt(int64(r), 10) + `"` }

// ifMatch reads the revision that a header If-Match names. It reports false
// for one that is missing or "*", which any revision matches; what cannot be
// read matches none.
func ifMatch(header string) (expected eventstore.Revision, named bool) {
	header = strings.TrimSpace(header)
	if header == "" || header == "*" {
		return 0, false
	}
	tag, rest, ok := cutTag(header)
	if !ok || rest != "" || strings.HasPrefix(header, "W/") {
		return eventstore.NoStream, true
	}
	revision, err := strconv.ParseInt(tag[1:len(tag)-1], 10, 64)
	if err != nil || revision < 0 || etag(eventstore.Revision(revision)) != tag {
		return eventstore.NoStream, true
	}
	return eventstore.Revision(revision), true
}

// noneMatch reports whether a header If-None-Match names the tag, so that the
// caller has the representation already. Tags compare weakly, as RFC 9110
// wants it here; a header that cannot be read matches nothing.
func noneMatch(header, tag string) bool {
	header = strings.TrimSpace(header)
	if header == "*" {
		return true
	}
	for header != "" {
		header = strings.TrimLeft(header, " \t,")
		found, rest, ok := cutTag(header)
		if !ok {
			return false
		}
		if found == tag {
			return true
		}
		header = rest
	}
	return false
}

// cutTag cuts an entity tag off the front, without its mark of weakness.
func cutTag(header string) (tag, rest string, ok bool) {
	header = strings.TrimPrefix(header, "W/")
	if !strings.HasPrefix(header, `"`) {
		return "", "", false
	}
	end := strings.IndexByte(header[1:], '"')
	if end < 0 {
		return "", "", false
	}
	rest = strings.TrimLeft(header[end+2:], " \t")
	if rest != "" && rest[0] != ',' {
		return "", "", false
	}
	return header[:end+2], rest, true
}
