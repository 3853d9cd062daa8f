package webhooks_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks"
)

// keysOf are master keys by their numbers.
func keysOf(t *testing.T, numbers ...byte) *vault.Keyring {
	t.Helper()
	var texts []string
	for _, number := range numbers {
		texts = append(texts, fmt.Sprintf("%d:%s", number, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{number}, 32))))
	}
	keys, err := vault.OpenKeyring("", strings.Join(texts, ","))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestARotationIsAnsweredTheSameAfterRekey, for as long as its secret signs;
// then it says that it cannot be.
func TestARotationIsAnsweredTheSameAfterRekey(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.keys = keysOf(t, 1, 2)
	created := p.endpoint("http://127.0.0.1:1/", "*")
	first := meta()
	first.Fingerprint = "of the body"
	rotate := func() (webhooks.Rotated, error) {
		return p.endpoints(nil).Rotate(t.Context(), webhooks.Request{ID: created.ID, Meta: first}, time.Hour)
	}
	made, err := rotate()
	if err != nil {
		t.Fatal(err)
	}
	p.keys = keysOf(t, 1, 2, 3)
	if changed, err := p.endpoints(nil).Reseal(t.Context(), created.ID, p.keys, meta()); err != nil || !changed {
		t.Fatalf("resealed %t: %v", changed, err)
	}
	p.keys = keysOf(t, 1, 3)
	again, err := rotate()
	if err != nil || !again.Replayed || again.Secret.Text() != made.Secret.Text() || again.Version != made.Version || !again.OldUntil.Equal(made.OldUntil) {
		t.Errorf("the second time replayed %t, version %d: %v", again.Replayed, again.Version, err)
	}
	if _, err := p.endpoints(nil).Rotate(t.Context(), webhooks.Request{ID: created.ID, Meta: meta()}, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := rotate(); !errors.Is(err, webhooks.ErrSecretEnded) {
		t.Errorf("of a secret that signs no more: %v", err)
	}
	p.keys = keysOf(t, 1, 2, 3)
	if kept, err := rotate(); err != nil || kept.Secret.Text() != made.Secret.Text() {
		t.Errorf("with the key that sealed it: %v", err)
	}
}
