package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

const (
	manifestName   = "BACKUP.json"
	manifestFormat = 1
)

// A Manifest says what a backup holds.
type Manifest struct {
	Format int            `json:"format"`
	ID     uuid.UUID      `json:"id"`  // of the store
	End    uint64         `json:"end"` // of its log: all records before it are in the backup
	Taken  time.Time      `json:"taken"`
	Files  []ManifestFile `json:"files"`
}

// A ManifestFile is a file of a backup.
type ManifestFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// Size is that of all files, in bytes.
func (m *Manifest) Size() (size int64) {
	for _, f := range m.Files {
		size += f.Size
	}
	return size
}

// encode ends with a checksum of what is before it.
func (m *Manifest) encode() []byte {
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("encode the manifest of a backup: %v", err)) // nothing in it can fail
	}
	body = append(body, '\n')
	return fmt.Appendf(body, "%s%s\n", manifestSeal, seal(body))
}

const manifestSeal = "sha256 "

func seal(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func damaged(path, what string) error { return fmt.Errorf("%s %s: %w", path, what, ErrDamaged) }

// decodeManifest refuses what is not, in every byte, what encode has made.
func decodeManifest(b []byte) (*Manifest, error) {
	i := bytes.LastIndex(b, []byte(manifestSeal))
	if i < 0 || string(b[i:]) != manifestSeal+seal(b[:i])+"\n" {
		return nil, damaged(manifestName, "does not match its checksum")
	}
	m := &Manifest{}
	if err := json.Unmarshal(b[:i], m); err != nil {
		return nil, fmt.Errorf("%w: %w", damaged(manifestName, "is not understood"), err)
	}
	if m.Format != manifestFormat {
		return nil, fmt.Errorf("the backup has format %d, this program reads %d", m.Format, manifestFormat)
	}
	for _, f := range m.Files {
		if !plainName(f.Name) || f.Size < 0 || len(f.SHA256) != 2*sha256.Size {
			return nil, damaged(manifestName, fmt.Sprintf("lists the file %q", f.Name))
		}
	}
	return m, nil
}

// plainName keeps a manifest from naming a file elsewhere.
func plainName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\\\x00") && name != manifestName && name != restoringName
}

// ReadManifest reads what the backup in dir holds.
func ReadManifest(files vfs.FS, dir string) (*Manifest, error) {
	const most = 64 * mebi
	f, err := files.Open(files.PathJoin(dir, manifestName))
	if err != nil {
		return nil, fmt.Errorf("%s is no complete backup: %w", dir, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, err
	}
	return decodeManifest(b)
}
