package app

import "crypto/rand"

// randomReader reads the system's randomness; it never fails.
type randomReader struct{}

// Read implements [io.Reader].
func (randomReader) Read(p []byte) (int, error) { return rand.Read(p) }
