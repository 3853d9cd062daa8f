package transfer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

// A file is lines of JSON in frames of zstd: `zstd -dc FILE` shows them. Before
// each frame stands one that decoders skip, with the length and the checksum of
// the frame, by which a reader knows which frames are whole.
const (
	skippable     = 0x184D2A57
	prefixSize    = 4 + 4 + 4 + 4 // mark, size of what follows, length, checksum
	maxFrame      = 64 << 20      // bytes, compressed or not
	fullFrame     = 1 << 20       // after which a frame is closed
	fullFrameSize = 4096          // events
)

// ErrDamaged is why a file is refused that is not what was written.
var ErrDamaged = errors.New("the file is damaged")

// ErrIncomplete is why a file is refused whose end is missing.
var ErrIncomplete = errors.New("the file is not complete")

// A writer writes frames.
type writer struct {
	out     io.Writer
	hash    hash.Hash // of all that was written
	encoder *zstd.Encoder
	lines   bytes.Buffer
	events  int    // in lines
	written uint64 // bytes
}

func newWriter(out io.Writer) (*writer, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return &writer{out: out, hash: sha256.New(), encoder: encoder}, nil
}

// add keeps the line until its frame is full.
func (w *writer) add(l *line) error {
	encoder := json.NewEncoder(&w.lines)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(l); err != nil {
		return err
	}
	w.events++
	if w.lines.Len() < fullFrame && w.events < fullFrameSize {
		return nil
	}
	return w.flush()
}

func (w *writer) flush() error {
	if w.lines.Len() == 0 {
		return nil
	}
	if w.lines.Len() > maxFrame {
		return fmt.Errorf("an event takes %d bytes", w.lines.Len())
	}
	frame := w.encoder.EncodeAll(w.lines.Bytes(), make([]byte, prefixSize))
	w.lines.Reset()
	w.events = 0
	binary.LittleEndian.PutUint32(frame, skippable)
	binary.LittleEndian.PutUint32(frame[4:], prefixSize-8)
	binary.LittleEndian.PutUint32(frame[8:], uint32(len(frame)-prefixSize))
	binary.LittleEndian.PutUint32(frame[12:], checksum(frame[prefixSize:]))
	w.hash.Write(frame)
	w.written += uint64(len(frame))
	_, err := w.out.Write(frame)
	return err
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// end closes the file, which is complete then.
func (w *writer) end(e *End) error {
	if err := w.flush(); err != nil {
		return err
	}
	e.SHA256 = hex.EncodeToString(w.hash.Sum(nil))
	if err := w.add(&line{End: e}); err != nil {
		return err
	}
	return w.flush()
}

// A state is where a reader is.
type state struct {
	hash  []byte // that can be taken up again
	sum   []byte
	whole int64
}

// A reader reads frames.
type reader struct {
	in      *bufio.Reader
	hash    hash.Hash // of all frames that were read
	decoder *zstd.Decoder
	raw     []byte
	whole   int64 // bytes of the file up to the end of the last frame
	before  state // as it was before the last frame
}

func newReader(in io.Reader) (*reader, error) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame))
	if err != nil {
		return nil, err
	}
	return &reader{in: bufio.NewReaderSize(in, 1<<20), hash: sha256.New(), decoder: decoder}, nil
}

func (r *reader) close() { r.decoder.Close() }

// frame answers the lines of the next frame, io.EOF after the last, and
// ErrIncomplete when a frame is cut off. What it answers is good until the next
// call.
func (r *reader) frame() ([]byte, error) {
	prefix := make([]byte, prefixSize)
	n, err := io.ReadFull(r.in, prefix)
	if n == 0 && errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, cutOff(err)
	}
	length := binary.LittleEndian.Uint32(prefix[8:])
	if binary.LittleEndian.Uint32(prefix) != skippable || binary.LittleEndian.Uint32(prefix[4:]) != prefixSize-8 || length > maxFrame {
		return nil, fmt.Errorf("no frame begins at byte %d: %w", r.whole, ErrDamaged)
	}
	var compressed bytes.Buffer
	if _, err := io.CopyN(&compressed, r.in, int64(length)); err != nil {
		return nil, cutOff(err)
	}
	if checksum(compressed.Bytes()) != binary.LittleEndian.Uint32(prefix[12:]) {
		return nil, fmt.Errorf("the frame at byte %d does not match its checksum: %w", r.whole, ErrDamaged)
	}
	if r.raw, err = r.decoder.DecodeAll(compressed.Bytes(), r.raw[:0]); err != nil {
		return nil, fmt.Errorf("the frame at byte %d: %w: %w", r.whole, ErrDamaged, err)
	}
	if r.before, err = r.state(); err != nil {
		return nil, err
	}
	r.hash.Write(prefix)
	r.hash.Write(compressed.Bytes())
	r.whole += prefixSize + int64(length)
	return r.raw, nil
}

func (r *reader) state() (state, error) {
	h, err := r.hash.(encoding.BinaryMarshaler).MarshalBinary()
	return state{hash: h, sum: r.hash.Sum(nil), whole: r.whole}, err
}

// back goes back by one frame, for somebody who writes it again.
func (r *reader) back() error {
	r.whole = r.before.whole
	return r.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(r.before.hash)
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("a frame is cut off: %w", ErrIncomplete)
	}
	return err
}
