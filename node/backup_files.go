package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// files copies files so that each is on the disk, whole, or not there.
type files struct {
	fs       vfs.FS
	stage    string
	progress func(Progress)
	done     uint64
	total    uint64
}

// copyAll copies what the manifest lists and adds the checksums, or, where the
// manifest has them, compares. What an interrupted attempt has copied is kept
// when it is the same.
func (f *files) copyAll(ctx context.Context, from, to string, m *Manifest) error {
	f.total = uint64(m.Size())
	for i := range m.Files {
		file := &m.Files[i]
		source, target := f.fs.PathJoin(from, file.Name), f.fs.PathJoin(to, file.Name)
		want := file.SHA256
		if want == "" {
			var err error
			if want, err = f.kept(ctx, source, target, file.Size); err != nil {
				return err
			}
		}
		if want != "" {
			have, err := f.sum(ctx, target, file.Size)
			if err != nil {
				return err
			}
			if have == want {
				file.SHA256 = want
				f.advance(uint64(file.Size))
				continue
			}
		}
		if err := f.copy(ctx, source, target, file); err != nil {
			return err
		}
	}
	return f.syncDir(to)
}

// kept is the checksum of the source when it is worth to look whether the
// target is the same.
func (f *files) kept(ctx context.Context, source, target string, size int64) (string, error) {
	info, err := f.fs.Stat(target)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() != size {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return f.sum(ctx, source, size)
}

// sum is empty for a file that is missing or has another size.
func (f *files) sum(ctx context.Context, path string, size int64) (string, error) {
	file, err := f.fs.Open(path, vfs.SequentialReadsOption)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, copying{ctx, file, nil})
	if err != nil || n != size {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

const copyingSuffix = ".copying"

func (f *files) copy(ctx context.Context, source, target string, file *ManifestFile) error {
	in, err := f.fs.Open(source, vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	defer in.Close()
	hash := sha256.New()
	n, err := f.write(target, io.TeeReader(copying{ctx, in, f.advance}, hash))
	if err != nil {
		return err
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	if n != file.Size || file.SHA256 != "" && file.SHA256 != sum {
		return errors.Join(damaged(source, "is not the file that was backed up"), f.fs.Remove(target+copyingSuffix))
	}
	file.SHA256 = sum
	return f.fs.Rename(target+copyingSuffix, target)
}

// write leaves the file under a name that says it is not complete.
func (f *files) write(target string, r io.Reader) (int64, error) {
	out, err := f.fs.Create(target+copyingSuffix, vfs.WriteCategoryUnspecified)
	if err != nil {
		return 0, err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{out}, r, make([]byte, mebi))
	if err == nil {
		err = out.Sync()
	}
	return n, errors.Join(err, out.Close())
}

func (f *files) writeFile(path string, b []byte) error {
	if _, err := f.write(path, bytes.NewReader(b)); err != nil {
		return err
	}
	return f.fs.Rename(path+copyingSuffix, path)
}

// readFile reads a file of which at most so many bytes matter.
func readFile(files vfs.FS, path string, most int64) ([]byte, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

func (f *files) syncDir(path string) error {
	dir, err := f.fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (f *files) advance(n uint64) {
	f.done += n
	if f.progress != nil {
		f.progress(Progress{Stage: f.stage, Done: f.done, Total: f.total})
	}
}

// copying is a reader that ends with its context and tells what it has read.
type copying struct {
	ctx context.Context //nolint:containedctx // lives as long as the copy
	io.Reader
	advance func(uint64)
}

// Read implements [io.Reader].
func (r copying) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.Reader.Read(p)
	if r.advance != nil {
		r.advance(uint64(n))
	}
	return n, err
}
