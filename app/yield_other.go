//go:build !linux

package app

import "errors"

// YieldProcessors is for Linux alone.
func YieldProcessors() error { return errors.ErrUnsupported }
