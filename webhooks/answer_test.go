package webhooks_test

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/partnertest"
)

// onlyAttempt delivers one event to a receiver that answers so, and returns
// what is kept of it.
func onlyAttempt(t *testing.T, answer func(http.ResponseWriter, *http.Request, received) int) ledger.Attempt {
	t.Helper()
	r := newReceiver(t, answer)
	p := newPlatform(t)
	created := p.endpoint(r.URL, "*")
	d := p.start()
	p.append("o1", eventstore.NoStream, placed{})
	var attempts []ledger.Attempt
	eventually(t, "an attempt", func() bool {
		var err error
		attempts, err = d.Attempts(t.Context(), created.ID, 10)
		return err == nil && len(attempts) > 0
	})
	return attempts[len(attempts)-1]
}

func TestAnAttemptKeepsTheAnswer(t *testing.T) {
	t.Parallel()
	got := onlyAttempt(t, func(w http.ResponseWriter, _ *http.Request, _ received) int {
		w.Header().Set("Date", "today")
		w.Header().Set("X-Two", "1")
		w.Header().Add("X-Two", "2")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<script>alert(1)</script>\x00\xff"))
		return 0
	})
	if want := "Content-Length: 27\nContent-Type: text/html; charset=utf-8\nDate: today\nX-Two: 1\nX-Two: 2"; got.Head != want || got.Status != 502 {
		t.Errorf("%d, head %q, want %q", got.Status, got.Head, want)
	}
	if want := "<script>alert(1)</script>\uFFFD\uFFFD"; got.Body != want {
		t.Errorf("body %q, want %q", got.Body, want)
	}
}

func TestOfALongAnswerTheBeginningIsKept(t *testing.T) {
	t.Parallel()
	got := onlyAttempt(t, func(w http.ResponseWriter, _ *http.Request, _ received) int {
		w.Header().Set("X-Long", strings.Repeat("h", 20<<10))
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte(strings.Repeat("ü", 20<<10)))
		return 0
	})
	for name, kept := range map[string]struct {
		text string
		most int
	}{"head": {got.Head, 4 << 10}, "body": {got.Body, 16 << 10}} {
		if len(kept.text) > kept.most || len(kept.text) < kept.most-4 || !utf8.ValidString(kept.text) {
			t.Errorf("%d bytes of the %s, want %d of valid text", len(kept.text), name, kept.most)
		}
	}
}

// 64 MB of zeroes are 64 KB in gzip: nobody must unpack them.
func TestAGzipBombIsNotUnpacked(t *testing.T) {
	t.Parallel()
	bomb := partnertest.Bomb()
	got := onlyAttempt(t, func(w http.ResponseWriter, r *http.Request, _ received) int {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("compression was asked for: %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(bomb)
		return 0
	})
	if !strings.HasPrefix(got.Body, "\x1f\uFFFD") || len(got.Body) > 16<<10 {
		t.Errorf("%d bytes were kept: %.20q", len(got.Body), got.Body)
	}
}
