package gatewaycallbacks_test

import (
	"bytes"
	"testing"

	"github.com/waybill-dev/waybill/gateways/sandbox"
)

// signed is a callback with other content, signed by the gateway.
func (w *world) signed(c told, from, to string) told {
	w.t.Helper()
	body := bytes.Replace(c.body, []byte(from), []byte(to), 1)
	if bytes.Equal(body, c.body) {
		w.t.Fatalf("no %q in %s", from, c.body)
	}
	header := c.header.Clone()
	header.Set(sandbox.SignatureHeader, sandbox.Sign(secret, w.time(), body))
	return told{header, body}
}

// What our own record says already is not stored once more; whatever differs
// from it is.
func TestWhatIsRecordedIsNotStored(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method   string
		from, to string // how something else is told
	}{
		"authorised, another amount":    {"sandbox:approved", `"amount":1250`, `"amount":1251`},
		"authorised, another reference": {"sandbox:approved", `"ref":"sbx_`, `"ref":"sbx_0`},
		"authorised, another outcome":   {"sandbox:approved", `"status":"authorised"`, `"status":"expired"`},
		"declined, another reason":      {"sandbox:declined", `"card-declined"`, `"expired-card"`},
		"declined, then authorised":     {"sandbox:declined", `"status":"declined"`, `"status":"authorised"`},
		"an action, another page":       {"sandbox:action", `/actions/`, `/actions2/`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.place("k", test.method)
			c := w.next()
			w.wantKnown(c)
			if id, err := w.callbacks.Receive(t.Context(), "other", c.header, c.body); err != nil || id == "" {
				t.Errorf("told by another gateway: stored as %q, %v", id, err)
			}
			if id := w.receive(w.signed(c, test.from, test.to)); id == "" || !w.callback(id).Open() {
				t.Errorf("%q is not stored", test.to)
			}
		})
	}
}
