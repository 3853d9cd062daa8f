package api_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

func TestSigningKeysAreShownAndRotated(t *testing.T) {
	t.Parallel()
	p := start(t)
	reader := p.key(apikey.WebhooksRead)
	shownAt := func(path string) (ids []string) {
		t.Helper()
		for _, item := range p.do(request{method: http.MethodGet, path: path, key: reader}).expect(200).json()["keys"].([]any) {
			key, _ := item.(map[string]any)
			if _, err := signing.ParsePublic(key["public_key"].(string)); err != nil || key["algorithm"] != "ed25519" {
				t.Errorf("key %v: %v", key, err)
			}
			ids = append(ids, key["id"].(string))
		}
		return ids
	}
	shown := func() []string { return shownAt("/v1/keys") }
	if diff := cmp.Diff([]string{"1"}, shown()); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	rotate := func(body, key string) answer {
		return p.do(request{method: http.MethodPost, path: "/v1/keys/rotate", body: body, header: map[string]string{"Idempotency-Key": key}})
	}
	rotate(`{}`, "r1").expect(200)
	rotate(`{}`, "r1").expect(200)
	if diff := cmp.Diff([]string{"1", "2"}, shown()); diff != "" {
		t.Errorf("after a rotation (-want +got):\n%s", diff)
	}
	for _, overlap := range []string{"-1", "7776001", "9223372036854775807", "-9223372036854775808"} {
		rotate(`{"overlap_seconds": `+overlap+`}`, "r2").problem(422, "signing-key-overlap")
	}
	rotate(`{"overlap_seconds": 0}`, "r3").expect(200)
	if diff := cmp.Diff([]string{"1", "3"}, shown()); diff != "" { // the first one is in its week still
		t.Errorf("after a rotation without overlap (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1", "2", "3"}, shownAt("/v1/keys?retired=true")); diff != "" {
		t.Errorf("that ever signed (-want +got):\n%s", diff)
	}
	p.do(request{method: http.MethodPost, path: "/v1/keys/rotate", body: `{}`, key: reader}).problem(403, "forbidden")
}

func TestEgressAddressesArePublished(t *testing.T) {
	t.Parallel()
	p := start(t)
	want := map[string]any{"addresses": []any{"203.0.113.7/32"}}
	if diff := cmp.Diff(want, p.get("/v1/egress-ips").expect(200).json()); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}
