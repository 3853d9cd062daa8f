package vault_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/vault"
)

type contact struct{ Email, Name string }

func keyring(t *testing.T, dir string) *vault.Keyring {
	t.Helper()
	keys, err := vault.OpenKeyring(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func open(t *testing.T, dir string) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), filepath.Join(dir, "vault.db"), keyring(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatWasPutIsReadAfterARestartAndStandsNowhereInTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	ada := contact{"ada@example.com", "Ada Lovelace"}
	subject := first.Subject(ada.Email)
	if err := first.Put(t.Context(), subject, "r1", ada); err != nil {
		t.Fatal(err)
	}
	if err := first.Put(t.Context(), subject, "r1", contact{"other", "other"}); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, dir)
	defer func() { _ = second.Close() }()
	var got contact
	if err := second.Get(t.Context(), "r1", &got); err != nil || got != ada {
		t.Errorf("got %v, %v", got, err)
	}
	if second.Subject(" ADA@example.com") != subject {
		t.Error("the same address has another subject")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "vault.db*"))
	for _, file := range files {
		if raw, _ := os.ReadFile(file); bytes.Contains(raw, []byte("ada@example")) || bytes.Contains(raw, []byte("Lovelace")) {
			t.Errorf("%s has personal data in the clear", file)
		}
	}
}

func TestErasureIsForGoodAndForOnePersonOnly(t *testing.T) {
	t.Parallel()
	v := open(t, t.TempDir())
	defer func() { _ = v.Close() }()
	for _, name := range []string{"ada", "bob"} {
		if err := v.Put(t.Context(), name, "ref-"+name, contact{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(v.Erase(t.Context(), "ada"), v.Erase(t.Context(), "ada"), v.Erase(t.Context(), "nobody")); err != nil {
		t.Fatal(err)
	}
	var got contact
	if err := v.Get(t.Context(), "ref-ada", &got); !errors.Is(err, vault.ErrErased) {
		t.Errorf("erased: %v, %v", got, err)
	}
	if err := v.Put(t.Context(), "ada", "ref-ada-2", contact{}); !errors.Is(err, vault.ErrErased) {
		t.Errorf("putting for somebody erased: %v", err)
	}
	if err := v.Get(t.Context(), "ref-bob", &got); err != nil || got.Name != "bob" {
		t.Errorf("the other: %v, %v", got, err)
	}
	if err := v.Get(t.Context(), "unknown", &got); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestAnErasedKeyIsInNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := open(t, dir)
	defer func() { _ = v.Close() }()
	if err := v.Put(t.Context(), "ada", "r1", contact{Name: "ada"}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "vault.db"))
	if err != nil {
		t.Fatal(err)
	}
	var key []byte
	err = errors.Join(db.QueryRowContext(t.Context(), `SELECT sealed_key FROM subjects`).Scan(&key), db.Close())
	if err != nil || len(key) == 0 || found(t, dir, key) == "" {
		t.Fatalf("the key is to be seen before: %v", err)
	}
	if err := v.Erase(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if file := found(t, dir, key); file != "" {
		t.Errorf("the key still stands in %s", file)
	}
}

// found returns a file of the vault that contains some bytes.
func found(t *testing.T, dir string, content []byte) string {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "vault.db*"))
	for _, file := range files {
		if raw, _ := os.ReadFile(file); bytes.Contains(raw, content) {
			return file
		}
	}
	return ""
}

func TestManyPutAtOnce(t *testing.T) {
	t.Parallel()
	v := open(t, t.TempDir())
	defer func() { _ = v.Close() }()
	var wg sync.WaitGroup
	for n := range 500 {
		wg.Go(func() {
			if err := v.Put(t.Context(), fmt.Sprint("s", n%50), fmt.Sprint("r", n), n); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for n := range 500 {
		var got int
		if err := v.Get(t.Context(), fmt.Sprint("r", n), &got); err != nil || got != n {
			t.Fatalf("r%d is %d, %v", n, got, err)
		}
	}
}

func TestSealedThingsOpenOnlyWithTheirKeyAndPurpose(t *testing.T) {
	t.Parallel()
	keys := keyring(t, t.TempDir())
	sealed, err := keys.Seal([]byte("secret"), []byte("endpoint 1"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := keys.Open(sealed, []byte("endpoint 1")); err != nil || string(plain) != "secret" {
		t.Errorf("opened %q, %v", plain, err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another purpose": func() ([]byte, error) { return keys.Open(sealed, []byte("endpoint 2")) },
		"another key":     func() ([]byte, error) { return keyring(t, t.TempDir()).Open(sealed, []byte("endpoint 1")) },
		"changed":         func() ([]byte, error) { return keys.Open(changed, []byte("endpoint 1")) },
		"nothing":         func() ([]byte, error) { return keys.Open(nil, nil) },
	} {
		if _, err := open(); !errors.Is(err, vault.ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnotherMasterKeyIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keyring(t, dir)
	keyring(t, dir)
	other := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	if _, err := vault.OpenKeyring(dir, other); !errors.Is(err, vault.ErrWrongKey) {
		t.Errorf("error = %v, want %v", err, vault.ErrWrongKey)
	}
}

func TestTheMasterKeyIsKeptPrivatelyOrGiven(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made := keyring(t, dir).Derive("x")
	info, err := os.Stat(filepath.Join(dir, "master.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file %v, %v", info, err)
	}
	text, _ := os.ReadFile(filepath.Join(dir, "master.key"))
	given, err := vault.OpenKeyring("", strings.TrimSpace(string(text)))
	if err != nil || !bytes.Equal(given.Derive("x"), made) {
		t.Errorf("the key given is not the key kept: %v", err)
	}
	for _, bad := range []string{"short", base64.StdEncoding.EncodeToString([]byte("short"))} {
		if _, err := vault.OpenKeyring("", bad); err == nil {
			t.Errorf("%q was taken as a key", bad)
		}
	}
}
