package api

import (
	"net/url"
	"strconv"
)

// nextLink is the header that leads to the next page (RFC 8288).
func nextLink(path string, filters url.Values, limit int, cursor string) string {
	values := url.Values{"limit": {strconv.Itoa(limit)}, "cursor": {cursor}}
	for name := range filters {
		values.Set(name, filters.Get(name))
	}
	return "<" + path + "?" + values.Encode() + `>; rel="next"`
}
