// Package logtest keeps what a program writes for tests to read. It promises that
// both may happen at once.
package logtest

import (
	"bytes"
	"sync"
)

// Journal is what was written to it. The zero value is empty.
type Journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// Bytes returns all that was written so far.
func (j *Journal) Bytes() []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Clone(j.text.Bytes())
}

// String returns the same as text.
func (j *Journal) String() string { return string(j.Bytes()) }
