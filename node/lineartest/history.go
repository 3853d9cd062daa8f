// Package lineartest judges what concurrent clients saw of one stream: every
// request must look as if it had happened at one moment between the time it was
// sent and the time it was answered, in the order that the rules of expected
// revisions allow.
package lineartest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// A Kind is what a client asked for.
type Kind int

// What clients ask for.
const (
	Read Kind = iota // of the whole stream, forwards
	Append
	Delete
	Tombstone
	Truncate // metadata that lets the stream begin at From
)

// Expected revisions that are no numbers, as the protocol's clients know them.
const (
	NoStream = -1
	Any      = -2
)

// A Request is what a client asked for.
type Request struct {
	Kind     Kind
	Expected int64 // a revision, NoStream or Any; of all but a Read and a Truncate
	IDs      []string
	From     int64 // of a Truncate
}

// The refusals of an Answer.
const (
	Wrong    = "wrong expected revision"
	Missing  = "not found"
	Deleted  = "deleted for ever"
	accepted = ""
)

// An Answer is what the client was told.
type Answer struct {
	Refusal  string   // one of the constants, or empty
	Revision int64    // where an Append ended; Unknown when the client does not say
	First    int64    // revision of the first event that was read
	IDs      []string // of the events that were read
}

// Unknown stands for a revision that a client does not tell.
const Unknown = -100

// A History is what all clients did. Its methods may be called by all of them.
type History struct {
	mu    sync.Mutex
	began time.Time
	ops   []porcupine.Operation
}

// Begin notes that the client sends a request. Answered must be called with the
// answer, once; without it, nobody knows whether the request had any effect.
func (h *History) Begin(client int, r Request) (answered func(Answer)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.began.IsZero() {
		h.began = time.Now()
	}
	i := len(h.ops)
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: r, Call: h.now(), Return: never})
	return func(a Answer) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ops[i].Output, h.ops[i].Return = a, h.now()
	}
}

const never = 1 << 62

func (h *History) now() int64 { return int64(time.Since(h.began)) }

// Size is how many requests were sent, and how many of them were answered.
func (h *History) Size() (sent, answered int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.ops {
		if h.ops[i].Output != nil {
			answered++
		}
	}
	return len(h.ops), answered
}

// ErrUndecided says that there are too many orders to look at in the time given.
var ErrUndecided = errors.New("it took too long to find an order")

// Check says why the history cannot have happened.
func (h *History) Check(limit time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	// A read that was not answered says nothing.
	ops := slices.DeleteFunc(slices.Clone(h.ops), func(op porcupine.Operation) bool {
		return op.Output == nil && op.Input.(Request).Kind == Read
	})
	switch porcupine.CheckOperationsTimeout(rules(), ops, limit) {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return ErrUndecided
	case porcupine.Illegal:
	}
	var text strings.Builder
	for _, op := range ops {
		fmt.Fprintf(&text, "\n\t%d to %d: client %d: %+v: %+v", op.Call/1000, op.Return/1000, op.ClientId, op.Input, op.Output)
	}
	return fmt.Errorf("in no order can this have happened:%s", text.String())
}
