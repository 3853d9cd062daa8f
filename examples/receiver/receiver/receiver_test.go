package receiver_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/waybill-dev/waybill/examples/receiver/receiver"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	other  = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

// send signs and sends a message and returns the status of the answer.
func send(t *testing.T, r http.Handler, with, id string, sequence, previous int) int {
	t.Helper()
	before := "null"
	if previous > 0 {
		before = fmt.Sprint(previous)
	}
	body := fmt.Sprintf(`{"id":%q,"type":"order.placed","aggregate":{"type":"order","id":"o1"},"sequence":%d,"previous":%s}`, id, sequence, before)
	signer, err := standardwebhooks.NewWebhook(with)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := signer.Sign(id, now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	request.Header.Set("Webhook-Id", id)
	request.Header.Set("Webhook-Timestamp", fmt.Sprint(now.Unix()))
	request.Header.Set("Webhook-Signature", signature)
	answer := httptest.NewRecorder()
	r.ServeHTTP(answer, request)
	return answer.Code
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func TestTheAccountSurvivesARestartAndATornLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	first, err := receiver.New(open(t, path), secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		with, id           string
		sequence, previous int
		want               int
	}{
		{secret, "a", 1, 0, 200},
		{secret, "a", 1, 0, 200}, // a repeat
		{secret, "c", 3, 2, 200}, // 2 is missing
		{other, "x", 4, 3, 401},
	} {
		if got := send(t, first, m.with, m.id, m.sequence, m.previous); got != m.want {
			t.Errorf("message %s was answered %d, want %d", m.id, got, m.want)
		}
	}
	if _, err := open(t, path).WriteString(`{"verdict":"accepted","id":"torn`); err != nil {
		t.Fatal(err)
	}
	again, err := receiver.New(open(t, path), secret)
	if err != nil {
		t.Fatal(err)
	}
	if code := send(t, again, secret, "a", 1, 0); code != 200 {
		t.Errorf("a repeat after the restart was answered %d", code)
	}
	third, err := receiver.New(open(t, path), secret)
	if err != nil {
		t.Fatal(err)
	}
	want := receiver.Report{Received: 4, Unique: 2, Duplicates: 2, Gaps: 1, Forged: 1, LastSequence: map[string]int64{"order/o1": 3}}
	if diff := cmp.Diff(want, third.Report()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestTheReportIsShown(t *testing.T) {
	t.Parallel()
	r, err := receiver.New(nil, other, secret)
	if err != nil {
		t.Fatal(err)
	}
	send(t, r, secret, "a", 1, 0)
	answer := httptest.NewRecorder()
	r.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	var report receiver.Report
	if err := json.NewDecoder(bytes.NewReader(answer.Body.Bytes())).Decode(&report); err != nil || report.Unique != 1 {
		t.Errorf("report %s, %v", answer.Body, err)
	}
}

func TestASecretThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := receiver.New(nil, "whsec_???"); err == nil {
		t.Error("accepted")
	}
}
