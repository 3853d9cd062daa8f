package credentials

import (
	"slices"
	"strings"
)

const longestName = 128

// reservedNames would change what our request means, to the receiver, to a
// proxy before it or to a cloud's metadata service, or would pass for ours.
var reservedNames = []string{
	"host", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect", "user-agent",
	"accept-encoding", "cookie", "forwarded", "via", "traceparent", "tracestate", "baggage", "http2-settings",
}

var reservedPrefixes = []string{
	"content-", "x-forwarded-", "webhook-", "x-amz-", "x-aws-", "x-goog-", "metadata", "x-ms-", "x-azure-", "proxy-",
}

func reserved(lower string) bool {
	return slices.Contains(reservedNames, lower) ||
		slices.ContainsFunc(reservedPrefixes, func(prefix string) bool { return strings.HasPrefix(lower, prefix) })
}

// token says whether a name is one of RFC 9110, 5.6.2.
func token(name string) bool {
	return name != "" && len(name) <= longestName && !strings.ContainsFunc(name, notInToken)
}

func notInToken(r rune) bool {
	letter := (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9')
	return !letter && (r > '~' || !strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

func notInValue(r rune) bool { return r < ' ' || r > '~' }

func control(r rune) bool { return r < ' ' || r == 0x7f }
