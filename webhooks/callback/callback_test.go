package callback_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/callback"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/guard"
)

func sender(t *testing.T, private bool) *callback.Sender {
	t.Helper()
	keys, err := vault.OpenKeyring("", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	policy := address.Policy{AllowPrivate: private}
	return &callback.Sender{
		Client: guard.NewClient(guard.Config{Policy: policy}), Policy: policy, Sealer: keys, Derive: keys.Derive, Timeout: 5 * time.Second, Now: time.Now,
	}
}

func TestAReceiverVerifiesACallbackWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	s := sender(t, true)
	secret, err := s.SecretOf("k1")
	if err != nil {
		t.Fatal(err)
	}
	other, _ := s.SecretOf("k2")
	if again, _ := s.SecretOf("k1"); again.Text() != secret.Text() || other.Text() == secret.Text() {
		t.Error("a secret belongs to one owner, for ever")
	}
	verifier, err := standardwebhooks.NewWebhook(secret.Text())
	if err != nil {
		t.Fatal(err)
	}
	var verified error
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		verified = verifier.Verify(body, r.Header)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	verdict, answer := s.Post(t.Context(), callback.Message{ID: "m1", URL: receiver.URL, Secret: secret, Body: []byte(`{"id":"j1"}`), Attempt: 1})
	if verdict != delivery.Delivered || answer.Status != http.StatusNoContent || verified != nil {
		t.Errorf("%v %+v, verified %v", verdict, answer, verified)
	}
}

func TestWhatFollowsFromAnAnswer(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]delivery.Verdict{
		http.StatusOK: delivery.Delivered, http.StatusFound: delivery.Retry, http.StatusBadGateway: delivery.Retry, http.StatusGone: delivery.Disable,
	} {
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(status)
		}))
		s := sender(t, true)
		secret, _ := s.SecretOf("k1")
		verdict, answer := s.Post(t.Context(), callback.Message{ID: "m1", URL: receiver.URL, Secret: secret, Body: []byte("{}")})
		if verdict != want || answer.Status != status {
			t.Errorf("%d: %v %+v, want %v", status, verdict, answer, want)
		}
		receiver.Close()
	}
}

func TestAPrivateAddressIsNotCalled(t *testing.T) {
	t.Parallel()
	called := false
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer receiver.Close()
	s := sender(t, false)
	secret, _ := s.SecretOf("k1")
	for _, url := range []string{receiver.URL, "https://localhost:443/", "https://127.0.0.1/"} {
		verdict, answer := s.Post(t.Context(), callback.Message{ID: "m1", URL: url, Secret: secret, Body: []byte("{}")})
		if verdict != delivery.Retry || answer.Class != delivery.ClassBlocked {
			t.Errorf("%s: %v %+v", url, verdict, answer)
		}
	}
	if called || len(s.Check(receiver.URL)) == 0 {
		t.Error("a private address was called")
	}
}

func TestASealedSecretIsOfOneThing(t *testing.T) {
	t.Parallel()
	s := sender(t, true)
	secret, _ := s.SecretOf("k1")
	sealed, err := s.Seal("job-1", secret)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := s.Open("job-1", sealed); err != nil || opened.Text() != secret.Text() {
		t.Errorf("opened %v, %v", opened, err)
	}
	if _, err := s.Open("job-2", sealed); err == nil {
		t.Error("the secret of one job opened for another")
	}
}
