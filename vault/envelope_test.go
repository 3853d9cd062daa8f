package vault_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/vault"
)

func master(fill byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32))
}

func ring(t *testing.T, keys ...string) *vault.Keyring {
	t.Helper()
	k, err := vault.OpenKeyring("", strings.Join(keys, ","))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type sealer interface {
	Seal(plain, aad []byte) ([]byte, error)
	Open(sealed, aad []byte) ([]byte, error)
}

func TestTheNewestMasterKeySealsAndAllOpen(t *testing.T) {
	t.Parallel()
	plain, aad := []byte("secret"), []byte("acme|e1|1")
	one, both := ring(t, master(1)), ring(t, "2:"+master(2), "1:"+master(1))
	for name, pair := range map[string][2]sealer{
		"directly": {one, both}, "in an envelope": {vault.Envelope{Keyring: one}, vault.Envelope{Keyring: both}},
	} {
		before, err := pair[0].Seal(plain, aad)
		if err != nil {
			t.Fatal(err)
		}
		after, err := pair[1].Seal(plain, aad)
		if err != nil || bytes.Contains(after, plain) {
			t.Fatalf("%v, %q", err, after)
		}
		for _, sealed := range [][]byte{before, after} {
			if got, err := both.Open(sealed, aad); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		if _, err := one.Open(after, aad); !errors.Is(err, vault.ErrSealed) {
			t.Errorf("%s: the old key alone opens what the new one sealed: %v", name, err)
		}
		if !both.Old(before) || both.Old(after) || one.Old(before) {
			t.Errorf("%s: old is not what is old", name)
		}
	}
	if !bytes.Equal(one.Derive("x"), both.Derive("x")) {
		t.Error("what is derived changed with the keys")
	}
}

func TestAnEnvelopeOpensOnlyWhole(t *testing.T) {
	t.Parallel()
	k := ring(t, master(1))
	sealed, err := vault.Envelope{Keyring: k}.Seal([]byte("secret"), []byte("acme|e1|1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open(sealed, []byte("other|e1|1")); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("for another tenant: %v", err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := k.Open(changed, []byte("acme|e1|1")); !errors.Is(err, vault.ErrSealed) {
			t.Errorf("with byte %d changed: %v", i, err)
		}
		if _, err := k.Open(sealed[:i], []byte("acme|e1|1")); !errors.Is(err, vault.ErrSealed) {
			t.Errorf("with %d bytes: %v", i, err)
		}
	}
}

func TestMasterKeysAreRead(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		master(1): true, "1:" + master(1): true, "1:" + master(1) + "\n2:" + master(2) + "\n": true, master(1) + ", 255:" + master(2): true,
		"2:" + master(2): false, "0:" + master(1): false, "256:" + master(1): false, "x:" + master(1): false,
		master(1) + "," + master(2): false, "1:short": false, ",": false,
	} {
		if _, err := vault.OpenKeyring("", text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		} else if err != nil && strings.Contains(err.Error(), master(1)) {
			t.Errorf("a key is in the error: %v", err)
		}
	}
}

func TestAKeyIsAddedToAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before, err := vault.OpenKeyring(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := before.Seal([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "master.key"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteString("2:" + master(9) + "\n")
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		after, err := vault.OpenKeyring(dir, "")
		if err != nil || !after.Old(sealed) {
			t.Fatalf("%v", err)
		}
		if _, err := after.Open(sealed, nil); err != nil {
			t.Error(err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k, err := vault.OpenKeyring("", master(1)+",2:"+master(2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{0, 1, 2})
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if _, err := k.Open(sealed, nil); err == nil {
			t.Error("what nobody sealed was opened")
		}
		k.Old(sealed)
	})
}
