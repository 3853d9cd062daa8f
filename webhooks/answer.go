package webhooks

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

const (
	mostOfAnswer = 64 << 10 // bytes that are read of an answer's body
	keptOfAnswer = 16 << 10 // bytes of it that are kept
	keptOfHead   = 4 << 10
)

// readAnswer drains the body, so that the connection can be used again. The
// status is the answer: a body that breaks off does not change it.
func readAnswer(response *http.Response, now time.Time) Result {
	var body []byte
	if response.Body != http.NoBody {
		body, _ = io.ReadAll(io.LimitReader(response.Body, keptOfAnswer))
		_, _ = io.CopyN(io.Discard, response.Body, mostOfAnswer-keptOfAnswer)
	}
	_ = response.Body.Close()
	result := Result{
		Status:     response.StatusCode,
		RetryAfter: delivery.RetryAfter(response.Header.Get("Retry-After"), now),
		Directive:  response.Header.Get("Webhook-Delivery"),
		Response:   ledger.Response{Head: headText(response.Header), Body: keptText(string(body), keptOfAnswer)},
	}
	_, result.Class = delivery.Judge(result.answer())
	return result
}

// headText writes headers as lines, in the order of their names.
func headText(header http.Header) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			if b.Len() > keptOfHead {
				break
			}
			for _, part := range [...]string{name, ": ", value, "\n"} {
				b.WriteString(part)
			}
		}
	}
	return keptText(strings.TrimSuffix(b.String(), "\n"), keptOfHead)
}

// keptText makes something out of a stranger's bytes that every database takes
// for text, no longer than that.
func keptText(text string, most int) string {
	const replacement = "\uFFFD"
	text = strings.ReplaceAll(strings.ToValidUTF8(text, replacement), "\x00", replacement)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}
