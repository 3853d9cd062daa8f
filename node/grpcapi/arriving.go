package grpcapi

import (
	"sync/atomic"

	"github.com/waybill-dev/waybill/node"
)

// arriving bounds what all calls together hold of appends that have not arrived
// whole: what one of them may send is bounded, but not how many there are.
type arriving struct{ bytes atomic.Int64 }

const (
	mostArriving = 128 << 20
	eachArriving = 128 // of an event without bytes
)

func (a *arriving) take(n int64) error {
	if a.bytes.Add(n) > mostArriving {
		a.bytes.Add(-n)
		return node.ErrBusy
	}
	return nil
}

func (a *arriving) give(n int64) { a.bytes.Add(-n) }
