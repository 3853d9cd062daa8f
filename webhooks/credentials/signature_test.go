package credentials_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/credentials"
)

// TestSignaturesOfOtherSystems has the vector of GitHub's documentation, and the
// others as openssl dgst -hmac writes them.
func TestSignaturesOfOtherSystems(t *testing.T) {
	t.Parallel()
	const secret, body = "It's a Secret to Everybody", "Hello, World!"
	for want, s := range map[string]credentials.Signature{
		"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17": {Header: "X-Hub-Signature-256", Prefix: "sha256="},
		"757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17":        {Header: "X-Hub-Signature-256", Algorithm: "sha256", Encoding: "hex"},
		"dXEH6g6yUJ/CESIczphLijdXC211hsIsRvQ3nIsEPhc=":                            {Header: "X-Shop-Hmac", Encoding: "base64"},
	} {
		s.Secret = secret
		c := credentials.Credentials{Signature: &s}
		if wrong := c.Check(address.Policy{}, time.Now()); len(wrong) > 0 || c.Empty() || c.Summary().Signature != s.Header {
			t.Errorf("%+v: %v, %+v", s, wrong, c.Summary())
		}
		session, err := c.Open(nil, nil, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{}
		session.Sign(header, []byte(body), false)
		if got := header.Get(s.Header); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		session.Sign(header, []byte(body), true)
		if got := header.Get(s.Header); got == want || len(got) != len(want) {
			t.Errorf("a forged one is %s", got)
		}
	}
	header := http.Header{}
	session, err := credentials.Credentials{}.Open(nil, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if session.Sign(header, []byte(body), false); len(header) > 0 {
		t.Errorf("without one: %v", header)
	}
	for _, algorithm := range []string{"sha1", "sha512"} {
		s := credentials.Signature{Header: "X-S", Secret: secret, Algorithm: algorithm}
		session, err := credentials.Credentials{Signature: &s}.Open(nil, nil, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		session.Sign(header, []byte(body), false)
		if got, want := len(header.Get("X-S")), map[string]int{"sha1": 40, "sha512": 128}[algorithm]; got != want {
			t.Errorf("%s has %d characters", algorithm, got)
		}
	}
}

func TestMistakesOfASignature(t *testing.T) {
	t.Parallel()
	got := mistakesOf(credentials.Credentials{Signature: &credentials.Signature{
		Header: "Webhook-Signature", Algorithm: "md5", Encoding: "base58", Prefix: "a\r\nX-B: ",
	}})
	want := []string{
		"/signature/header " + credentials.CodeHeaderReserved, "/signature/secret " + credentials.CodeMissing,
		"/signature/algorithm " + credentials.CodeMalformed, "/signature/encoding " + credentials.CodeMalformed, "/signature/prefix " + credentials.CodeHeaderValue,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
