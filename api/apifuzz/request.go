package apifuzz

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Key is an API key and what it may do.
type Key struct {
	Text   string
	Scopes []string
	All    bool // whatever the scopes
}

func (k Key) may(o *Operation) bool {
	return k.Text != "" && (k.All || slices.ContainsFunc(o.Scopes, func(scope string) bool { return slices.Contains(k.Scopes, scope) }))
}

// request is one request in parts, so that it can be made smaller.
type request struct {
	operation *Operation
	key       Key // without text there is none
	wrongKey  string
	path      map[string]string
	query     url.Values
	header    map[string]string
	media     string // Content-Type; empty sends none
	value     any    // of the body; a list of lines where the media type is one of lines
	raw       []byte // sent instead of value
	elsewhere bool   // the address or method is not the operation's
	method    string
	prefix    string // before the path
	first     *answer
}

const keyHeader = "Idempotency-Key"

func (r *request) clone() *request {
	copied := *r
	copied.path, copied.query, copied.header = maps.Clone(r.path), maps.Clone(r.query), maps.Clone(r.header)
	copied.first = nil
	return &copied
}

// address is the path as it is sent, escaped.
func (r *request) address() string {
	address := r.prefix + r.operation.Path
	for name, value := range r.path {
		address = strings.ReplaceAll(address, "{"+name+"}", escaped(value))
	}
	return address
}

// escaped writes a value as one part of a path. A mux takes empty parts and
// points for another address.
func escaped(value string) string {
	switch value {
	case "", ".", "..":
		return "%20" + value
	}
	return url.PathEscape(value)
}

func (r *request) target() string {
	if len(r.query) == 0 {
		return r.address()
	}
	return r.address() + "?" + r.query.Encode()
}

func (r *request) body() []byte {
	switch {
	case r.raw != nil:
		return r.raw
	case r.operation.Media == "":
		return nil
	case r.operation.Media == mediaLines:
		var lines []byte
		for _, line := range list(r.value) {
			lines = append(append(lines, encode(line)...), '\n')
		}
		return lines
	}
	return encode(r.value)
}

func encode(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return []byte("null")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (r *request) headers() map[string]string {
	headers := maps.Clone(r.header)
	switch {
	case r.wrongKey != "":
		headers["Authorization"] = r.wrongKey
	case r.key.Text != "":
		headers["Authorization"] = "Bearer " + r.key.Text
	}
	if r.media != "" {
		headers["Content-Type"] = r.media
	}
	for name, value := range headers {
		if !sendable(value) {
			headers[name] = strings.Map(func(c rune) rune {
				if c < ' ' || c == 0x7f {
					return '?'
				}
				return c
			}, value)
		}
	}
	return headers
}

// sendable reports whether HTTP can carry the value in a header at all.
func sendable(value string) bool {
	return !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f })
}

func (r *request) http(ctx context.Context, baseURL string) (*http.Request, error) {
	out, err := http.NewRequestWithContext(ctx, r.method, baseURL+r.target(), bytes.NewReader(r.body()))
	if err != nil {
		return nil, err
	}
	for name, value := range r.headers() {
		out.Header.Set(name, value)
	}
	return out, nil
}

// curl writes the request as a line for a shell.
func (r *request) curl(baseURL string) string {
	var line strings.Builder
	fmt.Fprintf(&line, "curl -i -X %s %s", r.method, quoted(baseURL+r.target()))
	headers := r.headers()
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		fmt.Fprintf(&line, " -H %s", quoted(name+": "+headers[name]))
	}
	if body := r.body(); len(body) > longestShown {
		fmt.Fprintf(&line, " --data-binary %s # and so on, %d bytes", quoted(string(body[:longestShown])), len(body))
	} else if len(body) > 0 {
		fmt.Fprintf(&line, " --data-binary %s", quoted(string(body)))
	}
	return line.String()
}

const longestShown = 2_000

// quoted writes a text for bash.
func quoted(text string) string {
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == '\'' || c == 0x7f || c == '\ufffd' }) {
		q := fmt.Sprintf("%q", text)
		return "$'" + strings.NewReplacer(`\"`, `"`, `'`, `\'`).Replace(q[1:len(q)-1]) + "'"
	}
	return "'" + text + "'"
}
