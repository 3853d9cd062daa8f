package node_test

import "encoding/binary"

// quiet is for a library whose errors all come back.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

func logKey(position uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'L'}, position) }
