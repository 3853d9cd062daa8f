package auth

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{
		`{"$acl":{"$r":"a","$w":["a","b"],"$d":[],"$mr":"$all","$mw":"$admins"}}`, `{"$acl":{"$r":null}}`,
		`{"$maxAge":1}`, `{"$acl":"$userStreamAcl"}`, `{"$acl":{"$r":{"a":1}}}`, `{"$acl":{"$r":"\ud800"}}`, `null`, ``,
		`{"$userStreamAcl":{"$r":"a"},"$systemStreamAcl":{"$w":["b"]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if l, err := parseMetadata(data); err != nil && l != nil {
			t.Error("an error with a list")
		}
		s, err := parseSettings(data)
		if (err == nil) != (s != nil) {
			t.Error("settings and an error, or neither")
		}
		if s == nil {
			return
		}
		// Whatever is in there, the streams of the system must stay closed to all
		// but those who are named.
		for act := actRead; act <= actMetadataWrite; act++ {
			for _, role := range s.system.roles(act) {
				if role == RoleAll && !strings.Contains(string(data), "all") && !strings.Contains(string(data), `\`) {
					t.Errorf("everybody was let in by %q", data)
				}
			}
		}
	})
}

func FuzzAccount(f *testing.F) {
	f.Add("ann", []byte(`{"loginName":"ann","fullName":"","salt":"","hash":"$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA","disabled":false,"groups":["a"]}`))
	f.Add("", []byte(`null`))
	f.Add("x", []byte(`{"loginName":"x","groups":[null]}`))
	f.Fuzz(func(t *testing.T, login string, data []byte) {
		a, err := decodeAccount(login, data)
		if err != nil {
			return
		}
		if a.Login != login {
			t.Fatalf("the account of %q was taken for that of %q", a.Login, login)
		}
		b, err := a.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeAccount(login, b)
		if err != nil {
			if strings.ToValidUTF8(login, "") == login {
				t.Fatal(err)
			}
			return
		}
		if diff := cmp.Diff(a.Hash, again.Hash); diff != "" && strings.ToValidUTF8(a.Hash, "") == a.Hash {
			t.Error(diff)
		}
		if h, err := parseHash(a.Hash); err == nil && !h.bounded() {
			t.Errorf("hash %q is out of bounds", a.Hash)
		}
	})
}

func FuzzHeader(f *testing.F) {
	for _, seed := range []string{"", "Basic", "Basic YTpi", "basic   YTpi ", "Basic YTpi=", "Bearer x", "BASIC Og=="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		login, password, basic, ok := parseHeader(header)
		if ok && !basic {
			t.Error("credentials of another scheme")
		}
		if !ok {
			return
		}
		again, secret, _, ok := parseHeader("Basic " + base64.StdEncoding.EncodeToString([]byte(login+":"+password)))
		if len(login)+len(password) < maxHeader/2 && (!ok || again != login || secret != password) {
			t.Errorf("%q became %q and %q", header, again, secret)
		}
	})
}

func TestHash(t *testing.T) {
	t.Parallel()
	who := &account{Login: "ann", Hash: newHash("right-password")}
	if !matches(who, "right-password") || matches(who, "wrong-password") || matches(nil, "right-password") {
		t.Error("a password is taken for what it is not")
	}
	if newHash("right-password") == who.Hash {
		t.Error("two hashes of one password are equal")
	}
	who.Disabled = true
	if matches(who, "right-password") {
		t.Error("a disabled account is let in")
	}
}

// Whether there is an account cannot be seen from the time an answer takes: all
// of it is in the hash, which is computed for those that there are not, too.
func TestAnUnknownLoginTakesAsLongAsAWrongPassword(t *testing.T) {
	t.Parallel()
	known := &account{Login: "ann", Hash: newHash("right-password")}
	fastest := func(who *account) time.Duration {
		best := time.Hour
		for range 7 {
			begin := time.Now()
			matches(who, "wrong-password")
			best = min(best, time.Since(begin))
		}
		return best
	}
	wrong := fastest(known)
	for name, who := range map[string]*account{"unknown": nil, "disabled": {Hash: known.Hash, Disabled: true}, "broken": {Hash: "x"}} {
		if took := fastest(who); took < wrong/8 || took > wrong*8 {
			t.Errorf("%s took %s, a wrong password %s", name, took, wrong)
		}
	}
}
