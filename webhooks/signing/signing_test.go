package signing_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/waybill-dev/waybill/webhooks/signing"
)

func secret(tb testing.TB) signing.Secret {
	tb.Helper()
	s, err := signing.NewSecret(bytes.NewReader(bytes.Repeat([]byte{0x5a}, 32)))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func signed(s signing.Secret, id string, at time.Time, body []byte) http.Header {
	h := http.Header{}
	h.Set(signing.HeaderID, id)
	h.Set(signing.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(signing.HeaderSignature, s.Sign(id, at, body))
	return h
}

// The signature was computed by hand with openssl:
//
//	printf '%s' 'msg_1.1766325600.{"a":1}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:5a5a… -binary | base64
func TestGoldenSignature(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 12, 21, 14, 0, 0, 0, time.UTC)
	const want = "v1,heH7xfm/HFbVXxkuU9SLGPuSI0ccYG6ZVYJHN1raHF8="
	if got := secret(t).Sign("msg_1", at, []byte(`{"a":1}`)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestStandardWebhooksLibraryVerifies(t *testing.T) {
	t.Parallel()
	s := secret(t)
	verifier, err := standardwebhooks.NewWebhook(s.Text())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 8, 21, 10, 0, 0, 999, time.UTC)
	for _, body := range []string{"", `{"a":1}`, "\x00\xff", strings.Repeat("ü", 100_000)} {
		headers := signed(s, "0b9e6a3c", at, []byte(body))
		if err := verifier.VerifyIgnoringTimestamp([]byte(body), headers); err != nil {
			t.Errorf("%.20q: %v", body, err)
		}
		if verifier.VerifyIgnoringTimestamp([]byte(body+" "), headers) == nil {
			t.Errorf("%.20q: other bytes were accepted", body)
		}
	}
}

func TestSecretsComeBackAndAreNeverPrinted(t *testing.T) {
	t.Parallel()
	s := secret(t)
	back, err := signing.ParseSecret(s.Text())
	if err != nil || back.Text() != s.Text() {
		t.Fatalf("%v", err)
	}
	asJSON, err := json.Marshal(map[string]any{"secret": s})
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s), string(asJSON), s.LogValue().String()} {
		if strings.Contains(printed, s.Text()[6:]) || strings.Contains(printed, "90 90") || strings.Contains(printed, "5a5a") {
			t.Errorf("a secret was printed: %s", printed)
		}
	}
	for _, bad := range []string{"", "whsec_", "whsec_AAAA", "whsec_!!", s.Text()[6:]} {
		if _, err := signing.ParseSecret(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if _, err := signing.NewSecret(strings.NewReader("few")); err == nil {
		t.Error("too little randomness was accepted")
	}
}
