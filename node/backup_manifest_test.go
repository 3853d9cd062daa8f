package node

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func aManifest() *Manifest {
	return &Manifest{
		Format: manifestFormat, ID: uuid.New(), End: 77, Taken: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Files: []ManifestFile{{Name: "000007.sst", Size: 12, SHA256: strings.Repeat("ab", 32)}},
	}
}

func TestManifestOfAnotherFormatIsRefused(t *testing.T) {
	t.Parallel()
	m := aManifest()
	m.Format++
	if _, err := decodeManifest(m.encode()); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("the error is %v", err)
	}
	for _, name := range []string{"", "..", "a/b", manifestName, restoringName} {
		m = aManifest()
		m.Files[0].Name = name
		if _, err := decodeManifest(m.encode()); !errors.Is(err, ErrDamaged) {
			t.Errorf("a manifest with a file %q is answered %v", name, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	whole := aManifest().encode()
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte(manifestSeal))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeManifest(b)
		if err != nil {
			return
		}
		again, err := decodeManifest(m.encode())
		if err != nil || !bytes.Equal(again.encode(), m.encode()) {
			t.Errorf("the manifest differs after another round: %+v, %v", again, err)
		}
	})
}
