package signing_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/waybill-dev/waybill/webhooks/signing"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func key(tb testing.TB, name string) signing.Key {
	tb.Helper()
	k, err := signing.KeyOf(bytes.Repeat([]byte{0x11}, 32), name)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func secretOf(tb testing.TB, fill byte) signing.Secret {
	tb.Helper()
	s, err := signing.SecretOf(bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func headers(id string, at time.Time, signature string) http.Header {
	h := http.Header{}
	h.Set(signing.HeaderID, id)
	h.Set(signing.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(signing.HeaderSignature, signature)
	return h
}

// A header holds one signature for each secret and key that is alive, and
// whoever knows one of them accepts the message.
func TestASignerSignsWithEverythingAlive(t *testing.T) {
	t.Parallel()
	old, current := secretOf(t, 1), secretOf(t, 2)
	signer := signing.Signer{
		Secrets: []signing.LiveSecret{{Secret: current}, {Secret: old, Until: noon.Add(time.Hour)}},
		Keys:    []signing.LiveKey{{Key: key(t, "a"), Until: noon.Add(2 * time.Hour)}, {Key: key(t, "b")}},
	}
	body := []byte(`{"a":1}`)
	for _, row := range []struct {
		at      time.Time
		schemes []string
		old     bool
	}{
		{noon, []string{"v1", "v1", "v1a", "v1a"}, true},
		{noon.Add(time.Hour - time.Second), []string{"v1", "v1", "v1a", "v1a"}, true},
		{noon.Add(time.Hour), []string{"v1", "v1a", "v1a"}, false},
		{noon.Add(2 * time.Hour), []string{"v1", "v1a"}, false},
	} {
		signature := signer.Sign("msg_1", row.at, body)
		var schemes []string
		for part := range strings.SplitSeq(signature, " ") {
			scheme, _, _ := strings.Cut(part, ",")
			schemes = append(schemes, scheme)
		}
		if diff := cmp.Diff(row.schemes, schemes); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.at, diff)
		}
		for _, known := range []struct {
			signing.Secret
			accepted bool
		}{{current, true}, {old, row.old}, {secretOf(t, 3), false}} {
			verifier, err := standardwebhooks.NewWebhook(known.Text())
			if err != nil {
				t.Fatal(err)
			}
			if err := verifier.VerifyIgnoringTimestamp(body, headers("msg_1", row.at, signature)); (err == nil) != known.accepted {
				t.Errorf("%s: %v", row.at, err)
			}
		}
	}
}

// The signature was computed with openssl from the key's seed:
//
//	printf '%s' 'msg_1.1772625600.{"a":1}' >message; openssl pkeyutl -sign -rawin -inkey key.pem -in message | base64
func TestGoldenKeySignature(t *testing.T) {
	t.Parallel()
	k := key(t, "tenant acme")
	signer := signing.Signer{Keys: []signing.LiveKey{{Key: k}}}
	const public, want = "whpk_zmKlUBOwQfGEKURHVw2JgJLTNaAzgJd100aK4I9Vsnc=", "v1a,PloenLPlYo4V8A/Utgi9B1/3yGTNpf1RW35BAM4uv/fUe+0GSmeDGTnovCXd7w9sEnE3lV2NI/uBImnWEmIyDg=="
	if got := signer.Sign("msg_1", noon, []byte(`{"a":1}`)); got != want || k.Public() != public {
		t.Errorf("got %s by %s, want %s by %s", got, k.Public(), want, public)
	}
}

func TestAKeyVerifiesItsOwnBytesOnly(t *testing.T) {
	t.Parallel()
	k := key(t, "a")
	public, err := signing.ParsePublic(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	other, err := signing.ParsePublic(key(t, "b").Public())
	if err != nil || public.Equal(other) {
		t.Fatalf("two names have one key: %v", err)
	}
	text, _ := strings.CutPrefix(signing.Signer{Keys: []signing.LiveKey{{Key: k}}}.Sign("msg_1", noon, []byte("body")), "v1a,")
	signature, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	content := fmt.Sprintf("msg_1.%d.body", noon.Unix())
	if !ed25519.Verify(public, []byte(content), signature) || ed25519.Verify(other, []byte(content), signature) || ed25519.Verify(public, []byte(content+" "), signature) {
		t.Error("the signature does not belong to exactly this key and these bytes")
	}
}

func TestKeysAreNeverPrinted(t *testing.T) {
	t.Parallel()
	k := key(t, "a")
	printed := fmt.Sprintf("%v %+v %#v %s %q %v", k, k, k, k, k, k.LogValue())
	asText, err := k.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{printed, string(asText)} {
		if strings.Trim(strings.NewReplacer("whsk_***", "", `"`, "").Replace(part), " ") != "" {
			t.Errorf("printed as %s", part)
		}
	}
}

func TestBadPublicKeysAreRefused(t *testing.T) {
	t.Parallel()
	good := key(t, "a").Public()
	for _, bad := range []string{"", "whpk_", "whpk_AAAA", good[5:], good + "A", "whsec_" + good[5:], "whpk_!!"} {
		if _, err := signing.ParsePublic(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if _, err := signing.KeyOf([]byte("short"), "a"); err == nil {
		t.Error("a short seed was accepted")
	}
}

func TestSchemes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		schemes []string
		want    []string
	}{
		{nil, nil},
		{[]string{"v1"}, nil},
		{[]string{"v1a"}, nil},
		{[]string{"v1a", "v1"}, nil},
		{[]string{"v2", "v1", "v1"}, []string{"/0 signature-scheme-unknown", "/2 signature-scheme-repeated"}},
	} {
		var got []string
		for _, mistake := range signing.CheckSchemes(row.schemes) {
			got = append(got, mistake.Pointer+" "+mistake.Code)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", row.schemes, diff)
		}
	}
}

func FuzzSecretsAndKeys(f *testing.F) {
	f.Add("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	f.Add("whpk_" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := signing.ParseSecret(text); err == nil && s.Text() != text {
			t.Errorf("%q came back as another text", text)
		}
		if public, err := signing.ParsePublic(text); err == nil && "whpk_"+base64.StdEncoding.EncodeToString(public) != text {
			t.Errorf("%q came back as another text", text)
		}
	})
}
