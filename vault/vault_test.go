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
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
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

func openOn(t *testing.T, e databasetest.Engine) *vault.Vault {
	t.Helper()
	if e.Server == nil {
		return open(t, e.Dir)
	}
	v, err := vault.OpenShared(t.Context(), e.Server, keyring(t, e.Dir))
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
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		v := openOn(t, e)
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
	})
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
	var key, sealed []byte
	err = errors.Join(
		db.QueryRowContext(t.Context(), `SELECT sealed_key FROM subjects`).Scan(&key),
		db.QueryRowContext(t.Context(), `SELECT sealed FROM contents`).Scan(&sealed), db.Close())
	if err != nil || len(key) == 0 || found(t, dir, key) == "" || found(t, dir, sealed) == "" {
		t.Fatalf("the key is to be seen before: %v", err)
	}
	if err := v.Erase(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if file := found(t, dir, key); file != "" {
		t.Errorf("the key still stands in %s", file)
	}
	if file := found(t, dir, sealed); file != "" {
		t.Errorf("what the key encrypted still stands in %s", file)
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
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		v := openOn(t, e)
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
	})
}

// Those who share a transaction are refused each for themselves.
func TestOneWhoIsRefusedRefusesNobodyElse(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		v := openOn(t, e)
		defer func() { _ = v.Close() }()
		people := []struct {
			name string
			want error
		}{{"erased", vault.ErrErased}, {"retired", vault.ErrRetired}, {"known", nil}, {"new", nil}}
		for _, p := range people[:3] {
			if err := v.Put(t.Context(), p.name, "before "+p.name, 1); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := v.Retire(t.Context(), "retired", time.UnixMilli(1))
		if err = errors.Join(err, v.Erase(t.Context(), "erased")); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for n := range 200 {
			wg.Go(func() {
				p, ref := people[n%len(people)], fmt.Sprint("r", n)
				var got int
				if err := v.Put(t.Context(), p.name, ref, n); !errors.Is(err, p.want) {
					t.Errorf("put for somebody %s: %v", p.name, err)
				}
				if err := v.Get(t.Context(), ref, &got); (p.want == nil) != (err == nil && got == n) {
					t.Errorf("somebody %s has %d (%v)", p.name, got, err)
				}
			})
		}
		wg.Wait()
	})
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

func TestSomebodyWhoComesBackAfterBeingForgottenIsSomebodyElse(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		v := openOn(t, e)
		defer func() { _ = v.Close() }()
		seen := map[string]bool{}
		for generation := range 3 {
			subject, err := v.Current(t.Context(), " Ada@example.com")
			if err != nil || seen[subject] || (generation == 0) != (subject == v.Subject("ada@example.com")) {
				t.Fatalf("generation %d is %s, %v", generation, subject, err)
			}
			seen[subject] = true
			ref := fmt.Sprint("r", generation)
			if err := v.Put(t.Context(), subject, ref, contact{Name: "Ada"}); err != nil {
				t.Fatal(err)
			}
			if again, err := v.Current(t.Context(), "ada@example.com"); err != nil || again != subject {
				t.Errorf("the same person is %s and then %s, %v", subject, again, err)
			}
			if err := v.Erase(t.Context(), subject); err != nil {
				t.Fatal(err)
			}
			if err := v.Get(t.Context(), ref, &contact{}); !errors.Is(err, vault.ErrErased) {
				t.Errorf("generation %d: %v", generation, err)
			}
		}
	})
}

func TestWhoWasForgottenIsKnownAfterARestart(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		before := openOn(t, e)
		first := before.Subject("ada@example.com")
		if err := before.Erase(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		if err := before.Close(); err != nil {
			t.Fatal(err)
		}
		after := openOn(t, e)
		defer func() { _ = after.Close() }()
		if subject, err := after.Current(t.Context(), "ada@example.com"); err != nil || subject == first {
			t.Errorf("she is %s again, %v", subject, err)
		}
	})
}

func TestWhatIsRetiredIsReadButNotAddedTo(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		v := openOn(t, e)
		defer func() { _ = v.Close() }()
		put := func(ref string) error { return v.Put(t.Context(), "ada", ref, contact{Name: "Ada"}) }
		if err := put("r1"); err != nil {
			t.Fatal(err)
		}
		noon := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
		key, since, err := v.Retire(t.Context(), "ada", noon)
		if err != nil || key == "" || !since.Equal(noon) {
			t.Fatalf("retired %q since %s, %v", key, since, err)
		}
		if again, first, err := v.Retire(t.Context(), "ada", noon.Add(time.Hour)); err != nil || again != key || !first.Equal(noon) {
			t.Errorf("retired again %q since %s, %v", again, first, err)
		}
		if err := put("r2"); !errors.Is(err, vault.ErrRetired) {
			t.Errorf("something was added: %v", err)
		}
		if entries, err := v.Of(t.Context(), "ada"); err != nil || len(entries) != 1 || !strings.Contains(string(entries[0].Data), "Ada") {
			t.Errorf("there is %s, %v", entries, err)
		}
		if err := errors.Join(v.Resume(t.Context(), "ada"), put("r2")); err != nil {
			t.Errorf("resumed: %v", err)
		}
		if err := v.Erase(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := v.Retire(t.Context(), "ada", noon); !errors.Is(err, vault.ErrErased) {
			t.Errorf("retiring somebody erased: %v", err)
		}
		if err := v.Resume(t.Context(), "ada"); err != nil {
			t.Error(err)
		}
		if _, err := v.Of(t.Context(), "ada"); !errors.Is(err, vault.ErrErased) {
			t.Errorf("resuming brought something back: %v", err)
		}
		if known, _, err := v.Known(t.Context(), "nobody"); known || err != nil {
			t.Errorf("nobody is known: %v", err)
		}
	})
}

// Two processes that meet the same people for the first time at once agree on
// their keys.
func TestProcessesThatShareAVaultReadWhatTheOtherPut(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	processes := []*vault.Vault{openOn(t, e), openOn(t, e)}
	var group sync.WaitGroup
	for i, v := range processes {
		defer func() { _ = v.Close() }()
		for n := range 100 {
			group.Go(func() {
				if err := v.Put(t.Context(), fmt.Sprint("s", n), fmt.Sprintf("r%d-%d", i, n), n); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	for i := range processes {
		for n := range 100 {
			var got int
			if err := processes[1-i].Get(t.Context(), fmt.Sprintf("r%d-%d", i, n), &got); err != nil || got != n {
				t.Fatalf("r%d-%d is %d, %v", i, n, got, err)
			}
		}
	}
}

// TestKeptNamesWhoseDataIsThere, of those whose ids begin alike.
func TestKeptNamesWhoseDataIsThere(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		v := openOn(t, e)
		defer func() { _ = v.Close() }()
		for _, subject := range []string{"a", "to-", "to-1", "to-2", "to-é", "to.1", "u"} {
			if err := v.Put(t.Context(), subject, "ref "+subject, 1); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.Erase(t.Context(), "to-1"); err != nil {
			t.Fatal(err)
		}
		got, err := v.Kept(t.Context(), "to-")
		if diff := cmp.Diff([]string{"to-", "to-2", "to-é"}, got); diff != "" || err != nil {
			t.Errorf("kept (-want +got):\n%s%v", diff, err)
		}
	})
}
