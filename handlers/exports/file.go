package exports

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// File is a file that is whole.
type File struct {
	JobID     string
	Format    Format
	Personal  bool
	Orders    int
	Bytes     int64
	ExpiresAt time.Time

	attempt string
}

// result is what the job's result says.
func (f *File) result() map[string]any {
	if f == nil {
		return nil
	}
	return map[string]any{
		"format": string(f.Format), "orders": f.Orders, "bytes": f.Bytes, "href": "/v1/exports/" + f.JobID + "/file",
		"expires_at": f.ExpiresAt.UTC().Format(time.RFC3339),
	}
}

// chunks keeps what is written to it, sealed piece by piece.
type chunks struct {
	service *Service
	ctx     context.Context //nolint:containedctx // of the one attempt it is made for
	job     string
	attempt string
	buffer  []byte
	n       int
	total   int64
}

const chunkSize = 256 << 10

// Write implements [io.Writer].
func (c *chunks) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		take := min(len(p), chunkSize-len(c.buffer))
		c.buffer, p = append(c.buffer, p[:take]...), p[take:]
		if len(c.buffer) == chunkSize {
			if err := c.flush(); err != nil {
				return 0, err
			}
		}
	}
	return written, nil
}

func (c *chunks) flush() error {
	if len(c.buffer) == 0 {
		return nil
	}
	sealed, err := c.service.Sealer.Seal(c.buffer, place(c.job, c.attempt, c.n))
	if err != nil {
		return err
	}
	_, err = c.service.DB.Write.ExecContext(c.ctx, `INSERT INTO export_chunks (job_id, attempt, n, made_at, sealed) VALUES (?, ?, ?, ?, ?)`,
		c.job, c.attempt, c.n, c.service.Now().UnixMilli(), sealed)
	if err != nil {
		return fmt.Errorf("keep a piece of an export: %w", err)
	}
	c.total += int64(len(c.buffer))
	c.buffer = c.buffer[:0]
	c.n++
	return c.service.fault("chunk")
}

// place seals a piece to where it stands.
func place(job, attempt string, n int) []byte {
	return []byte("export|" + job + "|" + attempt + "|" + strconv.Itoa(n))
}

// finish lets a file be seen. Of two attempts that come to an end the first
// one counts.
func (s *Service) finish(ctx context.Context, job, attempt string, f File) error {
	const keep = 24 * time.Hour
	kept := s.Keep
	if kept == 0 {
		kept = keep
	}
	now, personal := s.Now(), 0
	if f.Personal {
		personal = 1
	}
	_, err := s.DB.Write.ExecContext(ctx, `
		INSERT INTO export_files (job_id, attempt, format, personal, orders, bytes, made_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (job_id) DO NOTHING`,
		job, attempt, string(f.Format), personal, f.Orders, f.Bytes, now.UnixMilli(), now.Add(kept).UnixMilli())
	if err != nil {
		return fmt.Errorf("finish an export: %w", err)
	}
	return nil
}

// forget removes what an attempt wrote. What it misses the sweep finds.
func (s *Service) forget(ctx context.Context, job, attempt string) {
	_, _ = s.DB.Write.ExecContext(context.WithoutCancel(ctx), `DELETE FROM export_chunks WHERE job_id = ? AND attempt = ?`, job, attempt)
}

// file returns a file; nil is none.
func (s *Service) file(ctx context.Context, job string) (*File, error) {
	f := &File{JobID: job}
	var format string
	var personal int
	var expires int64
	err := s.DB.Write.QueryRowContext(ctx, `SELECT attempt, format, personal, orders, bytes, expires_at FROM export_files WHERE job_id = ?`, job).
		Scan(&f.attempt, &format, &personal, &f.Orders, &f.Bytes, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, fmt.Errorf("look up an export: %w", err)
	}
	f.Format, f.Personal, f.ExpiresAt = Format(format), personal == 1, time.UnixMilli(expires)
	return f, nil
}

// File returns the file of a job that succeeded, or [ErrGone].
func (s *Service) File(ctx context.Context, job string) (File, error) {
	f, err := s.file(ctx, job)
	if err == nil && (f == nil || !s.Now().Before(f.ExpiresAt)) {
		err = ErrGone
	}
	if err != nil {
		return File{}, err
	}
	return *f, nil
}

// Copy writes a file, piece by piece.
func (s *Service) Copy(ctx context.Context, f File, to io.Writer) error {
	var copied int64
	for n := 0; copied < f.Bytes; n++ {
		var sealed []byte
		err := s.DB.Read.QueryRowContext(ctx, `SELECT sealed FROM export_chunks WHERE job_id = ? AND attempt = ? AND n = ?`, f.JobID, f.attempt, n).Scan(&sealed)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrGone // it was swept away meanwhile
		}
		if err != nil {
			return fmt.Errorf("read a piece of an export: %w", err)
		}
		plain, err := s.Sealer.Open(sealed, place(f.JobID, f.attempt, n))
		if err != nil {
			return fmt.Errorf("open a piece of an export: %w", err)
		}
		if _, err := to.Write(plain); err != nil {
			return err
		}
		copied += int64(len(plain))
	}
	return nil
}

// Sweep removes files whose time is over, and pieces of attempts that ended
// without one.
func (s *Service) Sweep(ctx context.Context) error {
	const abandoned = 48 * time.Hour
	now := s.Now()
	for _, statement := range []struct {
		query string
		until time.Time
	}{
		{`DELETE FROM export_chunks WHERE EXISTS (SELECT 1 FROM export_files f WHERE f.job_id = export_chunks.job_id AND f.expires_at <= ?)`, now},
		{`DELETE FROM export_chunks WHERE made_at < ? AND NOT EXISTS (SELECT 1 FROM export_files f WHERE f.job_id = export_chunks.job_id AND f.attempt = export_chunks.attempt)`, now.Add(-abandoned)},
	} {
		if _, err := s.DB.Write.ExecContext(ctx, statement.query, statement.until.UnixMilli()); err != nil {
			return fmt.Errorf("sweep exports away: %w", err)
		}
	}
	return nil
}
