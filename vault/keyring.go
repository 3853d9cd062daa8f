// Package vault keeps what must not stand in events: the master key with which
// secrets are sealed, and personal data, encrypted with one key per person. It
// promises that erasing a person's key makes all their data unreadable, while
// the events that refer to it stay. A backup made before the erasure still has
// the key: keep backups of the vault apart, and not for ever. It must not know
// what an order is.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const keySize = 32

// ErrSealed says that something cannot be opened: it was sealed with another
// key, for another purpose, or it was changed.
var ErrSealed = errors.New("cannot be opened with this key")

// Keyring seals and opens with master keys: AES-256-GCM, with the key's id in
// front of what was sealed. The newest key seals, all of them open.
type Keyring struct {
	master []byte // the first: what is derived from it must stay the same for ever
	newest byte
	aeads  map[byte]cipher.AEAD
}

// OpenKeyring returns the keyring of the master keys given or, when that is
// empty, of those kept in the folder, of which the first is made at the first
// start. Keys stand in lines or between commas: the first one as base64, or as
// 1:base64, those that followed it as 2:base64 and so on.
func OpenKeyring(dir, master string) (*Keyring, error) {
	if master == "" {
		var err error
		if master, err = keptKey(dir); err != nil {
			return nil, err
		}
	}
	keys, err := masterKeys(master)
	if err != nil {
		return nil, err
	}
	k := &Keyring{master: keys[firstKey], aeads: map[byte]cipher.AEAD{}}
	for id, key := range keys {
		if k.aeads[id], err = newAEAD(derive(key, "seal")); err != nil {
			return nil, err
		}
		k.newest = max(k.newest, id)
	}
	return k, k.prove(dir)
}

// ErrWrongKey says that a folder's data was sealed with another master key.
var ErrWrongKey = errors.New("this is not the master key the folder was made with")

// prove compares the key with a mark that the folder's first key left.
func (k *Keyring) prove(dir string) error {
	if dir == "" {
		return nil
	}
	path := filepath.Join(dir, "master.check")
	mark, err := os.ReadFile(path) //nolint:gosec // a path of the operator's
	if errors.Is(err, os.ErrNotExist) {
		return k.leaveMark(dir, path)
	}
	if err != nil {
		return fmt.Errorf("check the master key: %w", err)
	}
	if _, err := k.Open(mark, []byte(path[len(dir):])); err != nil {
		return fmt.Errorf("%w (%s): give the one it was made with", ErrWrongKey, dir)
	}
	return nil
}

func (k *Keyring) leaveMark(dir, path string) error {
	sealed, err := k.sealWith(firstKey, []byte("waybill"), []byte(path[len(dir):]))
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = createDurably(path, string(sealed))
	}
	if errors.Is(err, os.ErrExist) { // another process was first
		return k.prove(dir)
	}
	if err != nil {
		return fmt.Errorf("keep a mark of the master key: %w", err)
	}
	return nil
}

// keptKey reads the key of a folder. A new key is complete on the disk before
// it has its name, so that no half of one is ever used.
func keptKey(dir string) (string, error) {
	path := filepath.Join(dir, "master.key")
	kept, err := os.ReadFile(path) //nolint:gosec // a path of the operator's
	if err == nil {
		return string(kept), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the master key: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("keep a master key: %w", err)
	}
	made := base64.StdEncoding.EncodeToString(random(keySize)) + "\n"
	if err := createDurably(path, made); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("keep a master key: %w", err)
	}
	// Another process may have been first: what is kept counts.
	kept, err = os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the master key: %w", err)
	}
	return string(kept), nil
}

// createDurably makes a file that did not exist, whole and on the disk, or
// returns [os.ErrExist].
func createDurably(path, text string) error {
	file, err := os.CreateTemp(filepath.Dir(path), "master-*.new")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Chmod(0o600), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil { // unlike a rename, it replaces nothing
		return err
	}
	return errors.Join(syncFolder(filepath.Dir(path)), syncFolder(filepath.Dir(filepath.Dir(path))))
}

// syncFolder lets the names in a folder survive a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(path) //nolint:gosec // a path of the operator's
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Derive returns 32 bytes that belong to a name: the same for ever under one
// first master key, and no hint at the key itself (HKDF, RFC 5869).
func (k *Keyring) Derive(name string) []byte { return derive(k.master, name) }

func derive(master []byte, name string) []byte {
	derived, err := hkdf.Key(sha256.New, master, nil, "waybill "+name, keySize)
	if err != nil {
		panic(err) // only for lengths that no one asks for
	}
	return derived
}

// Seal encrypts plain so that only the same additional data opens it.
func (k *Keyring) Seal(plain, aad []byte) ([]byte, error) { return k.sealWith(k.newest, plain, aad) }

func (k *Keyring) sealWith(id byte, plain, aad []byte) ([]byte, error) {
	return append([]byte{id}, seal(k.aeads[id], plain, aad)...), nil
}

// Open decrypts what Seal made, of this keyring or of an [Envelope]; the error
// is [ErrSealed].
func (k *Keyring) Open(sealed, aad []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, ErrSealed
	}
	if sealed[0] == enveloped {
		return k.openEnvelope(sealed, aad)
	}
	aead := k.aeads[sealed[0]]
	if aead == nil {
		return nil, ErrSealed
	}
	return open(aead, sealed[1:], aad)
}

// Newest is the number of the key that seals.
func (k *Keyring) Newest() int { return int(k.newest) }

// Old says whether something was sealed with a key that another one followed.
func (k *Keyring) Old(sealed []byte) bool {
	return len(sealed) > 1 && keyOf(sealed) != k.newest
}

func keyOf(sealed []byte) byte {
	if sealed[0] == enveloped {
		return sealed[1]
	}
	return sealed[0]
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func seal(aead cipher.AEAD, plain, aad []byte) []byte {
	return aead.Seal(nil, nil, plain, aad) //nolint:gosec // the AEAD makes a random nonce for each message
}

func open(aead cipher.AEAD, sealed, aad []byte) ([]byte, error) {
	plain, err := aead.Open(nil, nil, sealed, aad)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

func random(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b) // never fails
	return b
}
