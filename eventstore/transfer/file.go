package transfer

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// A walk goes through a file. Its functions may be nil.
type walk struct {
	header func(*Header) error
	event  func(*Event) error
	frame  func(done, total int64) error // bytes of the file

	size int64
}

// run reads all lines and answers the end. A file without an end is
// ErrIncomplete: what was whole of it was walked, and is r.whole bytes long.
func (w *walk) run(r *reader) (*End, error) {
	var state walkState
	for {
		lines, err := r.frame()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("its end is missing: %w", ErrIncomplete)
		}
		if err != nil {
			return nil, err
		}
		for text := range bytes.Lines(lines) {
			if err := w.line(&state, text); err != nil {
				return nil, err
			}
		}
		if w.frame != nil {
			if err := w.frame(r.whole, w.size); err != nil {
				return nil, err
			}
		}
		if state.end == nil {
			continue
		}
		if state.end.SHA256 != hex.EncodeToString(r.before.sum) || state.end.Events != state.events {
			return nil, fmt.Errorf("it does not match its own checksum: %w", ErrDamaged)
		}
		if _, err := r.in.Peek(1); !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("something is behind its end: %w", ErrDamaged)
		}
		return state.end, nil
	}
}

type walkState struct {
	begun  bool
	events uint64
	end    *End
}

func (w *walk) line(s *walkState, text []byte) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("a line is not understood: %w: %w", ErrDamaged, err)
	}
	switch {
	case s.end != nil:
		return fmt.Errorf("a line is behind its end: %w", ErrDamaged)
	case !s.begun && l.Header != nil && l.Event == nil && l.End == nil:
		s.begun = true
		if l.Header.Format != fileFormat {
			return fmt.Errorf("the file has format %d, this program reads %d", l.Header.Format, fileFormat)
		}
		if w.header != nil {
			return w.header(l.Header)
		}
	case s.begun && l.Event != nil && l.Header == nil && l.End == nil:
		s.events++
		if w.event != nil {
			return w.event(l.Event)
		}
	case s.begun && l.End != nil && l.Header == nil && l.Event == nil:
		s.end = l.End
	default:
		return fmt.Errorf("a line is in the wrong place: %w", ErrDamaged)
	}
	return nil
}

// walkFile goes through the file at path.
func walkFile(path string, w walk) (*End, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	w.size = info.Size()
	r, err := newReader(f)
	if err != nil {
		return nil, err
	}
	defer r.close()
	end, err := w.run(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return end, nil
}
