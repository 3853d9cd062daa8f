package remote_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/gateways/remote"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAStatusIsAwayRefusedOrFine(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{
		200: nil, 202: nil, 204: nil, 409: remote.ErrRefused, 400: remote.ErrRefused, 422: remote.ErrRefused, 410: remote.ErrRefused,
		302: remote.ErrAway, 401: remote.ErrDown, 403: remote.ErrDown, 404: remote.ErrAway, 408: remote.ErrAway, 425: remote.ErrAway, 429: remote.ErrDown, 500: remote.ErrAway, 502: remote.ErrDown, 503: remote.ErrDown, 504: remote.ErrDown,
		412: nil, // as the call says
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Idempotency-Key") != "k" || r.Header.Get("Authorization") != "Bearer t" || r.URL.Path != "/base/things" {
				t.Errorf("asked %s with %v", r.URL, r.Header)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]string{"secret": "a@example.com"})
		}))
		client := remote.Connect(remote.Config{URL: server.URL + "/base/", Token: "t"})
		got, err := client.Do(t.Context(), remote.Call{Method: http.MethodPost, Path: "/things", Key: "k", Body: map[string]int{"n": 1}, Fine: []int{412}})
		if got != status && status != http.StatusFound || !errors.Is(err, want) || errors.Is(err, remote.ErrDown) != (want == remote.ErrDown) || //nolint:errorlint // the row itself
			(err != nil && strings.Contains(err.Error(), "example.com")) {
			t.Errorf("%d: %d, %v", status, got, err)
		}
		client.Close()
		server.Close()
	}
}

func TestWhoHangsIsAway(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end }))
	defer server.Close()
	defer close(end)
	client := remote.Connect(remote.Config{URL: server.URL, Timeout: 50 * time.Millisecond})
	defer client.Close()
	if _, err := client.Do(t.Context(), remote.Call{Method: http.MethodGet, Path: "/"}); !errors.Is(err, remote.ErrDown) || !errors.Is(err, remote.ErrAway) {
		t.Error(err)
	}
}
