package grpcapi

import (
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-dev/waybill/node"
)

// A begunBatch is in the node's queue, or was refused by it.
type begunBatch struct {
	batch   *batch
	begun   node.Begun
	refused error
}

// answerBegun answers the batches in the order they are written in: one
// goroutine for all, because one for each would spend more on its stack than the
// store on the batch. What became known together is sent together. A batch whose
// time is over is told so when those before it are answered, or theirs is over.
func (c *batchCall) answerBegun() {
	for b := range c.begun {
		if b.refused == nil && !b.begun.Done() {
			_ = c.flush() // receive tells that the client has gone
		}
		var done node.Appended
		err := b.refused
		if err == nil {
			done, err = b.begun.Wait(b.batch.ctx)
		}
		_ = c.settle(b.batch, done, err)
		if len(c.begun) == 0 {
			_ = c.flush()
		}
	}
}

// settle answers a batch that is no longer open, soon.
func (c *batchCall) settle(b *batch, done node.Appended, err error) error {
	defer func() { <-c.slots }()
	b.cancel()
	return c.answer(b.id, b.append.Stream, explainBatch(err), done)
}

// answer tells what became of a batch: refused, when that is not nil, or done.
// It may be sent with others, at the next flush.
func (c *batchCall) answer(id *shared.UUID, stream string, refused *rpc.Status, done node.Appended) error {
	a, err := newBatchAnswer(id, stream, refused, done)
	if err != nil {
		return fmt.Errorf("answer a batch: %w", err)
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	if c.pack == nil {
		err = c.stream.SendMsg(a)
	} else {
		err = c.pack.add(a)
	}
	if err != nil {
		return fmt.Errorf("answer a batch: %w", err)
	}
	return nil
}

// flush sends what was answered.
func (c *batchCall) flush() error {
	if c.pack == nil {
		return nil
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.pack.flush()
}

// The numbers of the fields of BatchAppendResp and its Success.
const (
	fieldAnswered       = 1 // the correlation id
	fieldSuccess        = 3
	fieldAnsweredStream = 4

	fieldNow      = 1 // the current revision
	fieldNothing  = 2 // there is none
	fieldPosition = 3

	fieldCommitAt  = 1 // of AllStreamPosition
	fieldPrepareAt = 2
)

// newBatchAnswer is the answer as it is sent.
func newBatchAnswer(id *shared.UUID, stream string, refused *rpc.Status, done node.Appended) (selfMarshaler, error) {
	if written := id.GetStructured(); written != nil && refused == nil {
		return newBatchDone(written, stream, done), nil
	}
	resp := &streams.BatchAppendResp{
		CorrelationId:    id,
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)},
		Result:           batchSuccess(done),
	}
	if refused != nil {
		resp.Result = &streams.BatchAppendResp_Error{Error: refused}
	}
	b, err := proto.Marshal(resp)
	return marshalled(b), err
}

// marshalled is an answer that was written by the generated code.
type marshalled []byte

func (m marshalled) size() int                { return len(m) }
func (m marshalled) appendTo(b []byte) []byte { return append(b, m...) }

// A batchDone is streams.BatchAppendResp of a batch that is stored, written by
// hand: the generated code goes through reflection wherever there is a choice of
// fields, and there are four of them.
type batchDone struct {
	stream              string
	done                node.Appended
	most, least         uint64
	id, success, placed int // sizes of the parts
}

func newBatchDone(id *shared.UUID_Structured, stream string, done node.Appended) *batchDone {
	a := &batchDone{
		stream: stream, done: done,
		most: uint64(id.GetMostSignificantBits()), least: uint64(id.GetLeastSignificantBits()),
	}
	a.id = sizeVarint(fieldMost, a.most) + sizeVarint(fieldLeast, a.least)
	a.placed = sizeVarint(fieldCommitAt, done.Position) + sizeVarint(fieldPrepareAt, done.Position)
	a.success = sizeBytes(fieldPosition, a.placed)
	if done.Revision < 0 {
		a.success += sizeBytes(fieldNothing, 0)
	} else {
		a.success += sizeVarint(fieldNow, uint64(done.Revision))
	}
	return a
}

func (a *batchDone) size() int {
	return sizeBytes(fieldAnswered, sizeBytes(fieldStructured, a.id)) + sizeBytes(fieldSuccess, a.success) +
		sizeBytes(fieldAnsweredStream, sizeBytes(fieldStreamName, len(a.stream)))
}

func (a *batchDone) appendTo(b []byte) []byte {
	b = appendLength(b, fieldAnswered, sizeBytes(fieldStructured, a.id))
	b = appendLength(b, fieldStructured, a.id)
	b = appendVarint(appendVarint(b, fieldMost, a.most), fieldLeast, a.least)
	b = appendLength(b, fieldSuccess, a.success)
	if a.done.Revision < 0 {
		b = appendLength(b, fieldNothing, 0)
	} else {
		b = appendVarint(b, fieldNow, uint64(a.done.Revision))
	}
	b = appendLength(b, fieldPosition, a.placed)
	b = appendVarint(appendVarint(b, fieldCommitAt, a.done.Position), fieldPrepareAt, a.done.Position)
	b = appendLength(b, fieldAnsweredStream, sizeBytes(fieldStreamName, len(a.stream)))
	return appendString(b, fieldStreamName, a.stream)
}
