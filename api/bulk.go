package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	// bulkAhead is how many lines of a body are worked on at once, and so how
	// many are in memory.
	bulkAhead = 16
	// bulkWrite is how long a caller may take to receive some of the answer.
	bulkWrite = 2 * time.Minute
)

// bulk is one body of many lines that is being worked on: read, placed and
// answered at the same time, with few lines in memory.
type bulk struct {
	*server

	ctx    context.Context //nolint:containedctx // of the request, which this is
	key    string          // Idempotency-Key
	lines  *lineReader
	conn   *http.ResponseController
	answer chan *bulkJob            // in the order of the lines
	busy   map[string]chan struct{} // keys that are worked on; of the reader alone
	work   sync.WaitGroup
}

// bulkJob is a line whose answer is awaited.
type bulkJob struct {
	number int
	key    string
	done   chan struct{}
	result bulkResult
}

// run answers the lines, of which the first was read. It returns when nothing
// of the request is used any more.
func (b *bulk) run(out huma.Context, first []byte, err error) {
	_, w := humago.Unwrap(out)
	b.conn = http.NewResponseController(w)
	_ = b.conn.EnableFullDuplex() // without it, as in HTTP/2, the two directions are apart anyway
	w.Header().Set("Content-Type", mediaLines)
	w.Header().Set("Cache-Control", "no-store")
	// In full duplex net/http panics when it finds the end of a body that was
	// not read and then reads the connection's next request.
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusOK)
	ctx, cancel := context.WithCancel(b.ctx)
	defer b.work.Wait()
	defer cancel()
	b.answer, b.busy = make(chan *bulkJob, bulkAhead), map[string]chan struct{}{}
	b.work.Go(func() {
		defer close(b.answer)
		b.read(ctx, first, err)
	})
	if err := b.write(w); err != nil {
		cancel()
		_ = b.conn.SetReadDeadline(b.api.Now()) // wakes the reader, which has nobody to answer any more
		for range b.answer {                    // until it has gone
		}
	}
}

// read begins with each line as soon as there is room for it.
func (b *bulk) read(ctx context.Context, line []byte, err error) {
	for ; err == nil; line, err = b.next() {
		if !b.begin(ctx, line) {
			return
		}
	}
	if !errors.Is(err, io.EOF) {
		last := &bulkJob{number: b.lines.number, done: make(chan struct{}), result: refusedLine(b.unreadable(ctx, err))}
		close(last.done)
		select {
		case b.answer <- last:
		case <-ctx.Done():
		}
	}
	_ = b.conn.SetReadDeadline(time.Time{})
}

func (b *bulk) next() ([]byte, error) {
	_ = b.conn.SetReadDeadline(b.api.Now().Add(b.api.Config.bodyTimeout()))
	return b.lines.next()
}

// begin works on a line, after an earlier one of the same key. It reports false
// when the request is over.
func (b *bulk) begin(ctx context.Context, line []byte) bool {
	job := &bulkJob{number: b.lines.number, done: make(chan struct{})}
	body, problem := b.readBulkLine(ctx, line)
	job.key = bulkKey(body, b.key, job.number)
	earlier := b.busy[job.key]
	select {
	case b.answer <- job:
	case <-ctx.Done():
		return false
	}
	if problem != nil {
		job.result = refusedLine(problem)
		close(job.done)
		return true
	}
	b.remember(job)
	b.work.Go(func() {
		defer close(job.done)
		defer b.rescue(ctx, job)
		if earlier != nil {
			<-earlier
		}
		job.result = b.placeBulk(ctx, job.key, body, line)
	})
	return true
}

// remember keeps the keys of lines that may still be worked on.
func (b *bulk) remember(job *bulkJob) {
	if len(b.busy) > 4*bulkAhead {
		for key, done := range b.busy {
			select {
			case <-done:
				delete(b.busy, key)
			default:
			}
		}
	}
	b.busy[job.key] = job.done
}

// rescue answers a line whose work panicked: it must not take the process, or
// the other lines, with it.
func (b *bulk) rescue(ctx context.Context, job *bulkJob) {
	if cause := recover(); cause != nil {
		b.logger.ErrorContext(ctx, "line panicked", "line", job.number, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
		job.result = refusedLine(b.problem(ctx, kindInternal, "the line could not be finished"))
	}
}

// write sends the answers in the order of their lines, and what there is
// whenever it has to wait for the next.
func (b *bulk) write(w http.ResponseWriter) error {
	buffered := bufio.NewWriterSize(w, 32<<10)
	encoder := json.NewEncoder(buffered)
	for job := range b.answer {
		select {
		case <-job.done:
		default:
			if err := b.flush(buffered); err != nil {
				return err
			}
			<-job.done
		}
		job.result.Line = job.number
		if err := encoder.Encode(job.result); err != nil {
			return err
		}
		if len(b.answer) == 0 {
			if err := b.flush(buffered); err != nil {
				return err
			}
		}
	}
	return b.flush(buffered)
}

func (b *bulk) flush(w *bufio.Writer) error {
	if w.Buffered() == 0 {
		return nil
	}
	_ = b.conn.SetWriteDeadline(b.api.Now().Add(bulkWrite))
	if err := w.Flush(); err != nil {
		return err
	}
	return b.conn.Flush()
}

// Why a body cannot be read any further.
var (
	errBulkTooLarge = errors.New("body is larger than the limit")
	errLineTooLong  = errors.New("line is larger than the limit")
)

// lineReader reads a body line by line, and holds no more than one.
type lineReader struct {
	number int // of the line that was read last, from 1

	in      *bufio.Reader
	left    int64 // bytes that the body may still have
	longest int
}

func newLineReader(r io.Reader, limit int64, longest int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(r, 64<<10), left: limit, longest: longest}
}

// next returns the next line that is not blank, without its end, for keeps; or
// [io.EOF] after the last.
func (l *lineReader) next() ([]byte, error) {
	for {
		line, err := l.line()
		if err != nil {
			return nil, err
		}
		if l.number == 1 {
			line = bytes.TrimPrefix(line, byteOrderMark)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

func (l *lineReader) line() ([]byte, error) {
	l.number++
	var line []byte
	for {
		part, err := l.in.ReadSlice('\n')
		l.left -= int64(len(part))
		line = append(line, part...)
		switch {
		case l.left < 0:
			return nil, errBulkTooLarge
		case len(line) > l.longest+len("\r\n"):
			return nil, errLineTooLong
		case err == nil, errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
