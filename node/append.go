package node

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Expected is the revision a writer believes the stream to be at: a revision
// from 0, or one of the constants.
type Expected int64

const (
	// ExpectNoStream is for the first append to a stream.
	ExpectNoStream Expected = -1
	// ExpectAny is for a writer who does not mind.
	ExpectAny Expected = -2
	// ExpectExists is for a stream that was written before, or has metadata.
	ExpectExists Expected = -4
)

func (e Expected) String() string {
	switch e {
	case ExpectNoStream:
		return "no stream"
	case ExpectAny:
		return "any"
	case ExpectExists:
		return "stream exists"
	}
	return fmt.Sprintf("%d", int64(e))
}

// An Event is what a writer wants to store. The node keeps its bytes: the
// caller must not change them afterwards.
type Event struct {
	ID       uuid.UUID
	Type     string
	JSON     bool
	Data     []byte
	Metadata []byte
}

// Size is what the event counts against the limit of an append.
func (e *Event) Size() int64 {
	// Types count twice, as in EventStoreDB from 24.10 on: what fits here fits
	// there.
	return int64(len(e.Data)) + int64(len(e.Metadata)) + 2*int64(len(e.Type))
}

// An Append is written whole or not at all, its events one after the other.
type Append struct {
	Stream   string
	Expected Expected
	Events   []Event
}

// Appended says where an append ended.
type Appended struct {
	Revision int64  // the stream's last; -1 while it has none
	Position uint64 // of the append's last record
}

// A WrongExpectedError says that the stream is elsewhere than the writer
// believed.
type WrongExpectedError struct {
	Stream   string
	Expected Expected
	Current  int64 // -1 is no stream
}

func (e *WrongExpectedError) Error() string {
	return fmt.Sprintf("stream %s is at %s, not at %s", e.Stream, Expected(e.Current), e.Expected)
}

// A StreamDeletedError says that the stream is deleted for ever.
type StreamDeletedError struct{ Stream string }

func (e *StreamDeletedError) Error() string { return fmt.Sprintf("stream %s is deleted", e.Stream) }

// A TooLargeError says that an append holds more than Limit bytes.
type TooLargeError struct{ Limit int64 }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the append is larger than %d bytes", e.Limit)
}

// A RecordTooLargeError says that one record would take more than Limit bytes
// of the log, its stream's name included: no client could receive it.
type RecordTooLargeError struct{ Limit int64 }

func (e *RecordTooLargeError) Error() string {
	return fmt.Sprintf("an event with the name of its stream is larger than %d bytes", e.Limit)
}

// recordLimit is that of EventStoreDB.
const recordLimit = 16*mebi - 10_000

// An InvalidError says what is wrong with a request, whatever the store holds.
type InvalidError struct{ Reason string }

func (e *InvalidError) Error() string { return e.Reason }

// mostDescribed is how often a name may say that it is the metadata of metadata:
// each of the streams it names has to be looked up.
const mostDescribed = 16

// ValidStream reports why a stream cannot have that name; nil when it can.
// Control characters are refused because answers carry the name in headers.
func ValidStream(name string) error {
	if name == "" {
		return &InvalidError{"the stream's name is empty"}
	}
	if !utf8.ValidString(name) {
		return &InvalidError{"the stream's name is not UTF-8"}
	}
	if len(name)-len(strings.TrimLeft(name, "$")) > mostDescribed*len(metadataPrefix) {
		return &InvalidError{"the stream's name begins with too many $"}
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return &InvalidError{fmt.Sprintf("the stream's name %q has a control character", name)}
		}
	}
	return nil
}

func (n *Node) validate(a *Append) error {
	if n.virtual(a.Stream) {
		return &InvalidError{fmt.Sprintf("stream %s is made by the node from its index: nobody can write to it", a.Stream)}
	}
	return a.validate(n.cfg.MaxAppendBytes)
}

func (a *Append) validate(limit int64) error {
	if err := ValidStream(a.Stream); err != nil {
		return err
	}
	if a.Stream == metadataPrefix {
		return &InvalidError{"$$ is the metadata stream of no stream"}
	}
	if a.Expected < ExpectExists || a.Expected == -3 {
		return &InvalidError{fmt.Sprintf("expected revision %d means nothing", a.Expected)}
	}
	size, largest := int64(0), logSize(len(a.Stream), 0, 0)
	for i := range a.Events {
		e := &a.Events[i]
		largest = max(largest, logSize(len(a.Stream), len(e.Type), len(e.Data)+len(e.Metadata)))
		if e.Type == "" {
			return &InvalidError{fmt.Sprintf("event %d has no type", i)}
		}
		if e.ID == uuid.Nil {
			return &InvalidError{fmt.Sprintf("event %d has no id", i)}
		}
		size += e.Size()
	}
	if size > limit {
		return &TooLargeError{Limit: limit}
	}
	if largest > recordLimit {
		return &RecordTooLargeError{Limit: recordLimit}
	}
	return nil
}

// footprint is what the append holds in memory while it waits.
func (a *Append) footprint() int64 {
	const each = 128
	size := int64(each + len(a.Stream))
	for i := range a.Events {
		size += each + a.Events[i].Size()
	}
	return size
}

// Append stores the events and returns when they are on the disk. When ctx ends
// before that, the append may still be stored.
//
// The error is a [WrongExpectedError], a [StreamDeletedError], a
// [TooLargeError], a [RecordTooLargeError], an [InvalidError], [ErrBusy], a
// [NoSpaceError], a [FailedError] or [ErrClosed].
func (n *Node) Append(ctx context.Context, a Append) (Appended, error) {
	if err := n.validate(&a); err != nil {
		return Appended{}, err
	}
	return n.submit(ctx, &request{Append: a})
}

// submit gives the request to the writer and waits for what becomes of it.
func (n *Node) submit(ctx context.Context, req *request) (Appended, error) {
	if err := n.start(ctx, req); err != nil {
		return Appended{}, err
	}
	return n.await(ctx, req)
}

func (n *Node) start(ctx context.Context, req *request) error {
	if err := n.failure.err(); err != nil {
		return err
	}
	req.footprint, req.done = req.Append.footprint(), make(chan struct{})
	if !n.budget.take(req.footprint) {
		return ErrBusy
	}
	if err := n.enqueue(ctx, req); err != nil {
		n.budget.give(req.footprint)
		return err
	}
	return nil
}

func (n *Node) await(ctx context.Context, req *request) (Appended, error) {
	select {
	case <-req.done:
		return req.result, req.err
	case <-n.failure.done: // the writer may hang in a broken disk
		return Appended{}, n.failure.err()
	case <-ctx.Done():
		return Appended{}, ctx.Err()
	}
}

func (n *Node) enqueue(ctx context.Context, req *request) error {
	n.gate.RLock()
	defer n.gate.RUnlock()
	if n.shut {
		return ErrClosed
	}
	select {
	case n.queue <- req:
		return nil
	case <-n.failure.done:
		return n.failure.err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
