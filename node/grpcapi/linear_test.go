package grpcapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node/lineartest"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// A contender does random things to a stream through a client of its own, and
// repeats what got no answer.
type contender struct {
	tb        testing.TB
	number    int
	rng       *rand.Rand
	history   *lineartest.History
	node      *nodetest.Node
	restarted <-chan struct{} // closed when it was
	client    *esdb.Client
	stream    string
	ids       int
	at        int64 // where it believes the stream to be
}

func (c *contender) work(ctx context.Context, steps int) {
	var again *lineartest.Request
	for step := 0; step < steps && ctx.Err() == nil; step++ {
		r := c.choose()
		if again != nil {
			r, again = *again, nil
		}
		answered := c.history.Begin(c.number, r)
		answer, err := c.ask(ctx, r)
		if err == nil {
			answered(answer)
			continue
		}
		if r.Kind == lineartest.Append {
			again = &r
		}
		// A client that looks for the node in vain never connects again, and one
		// that finds it again forgets to close its first connection.
		_ = c.client.Close()
		select {
		case <-c.restarted:
		case <-ctx.Done():
			return
		}
		c.client = connect(c.tb, c.node.ConnectionString())
	}
}

func (c *contender) choose() lineartest.Request {
	n := c.rng.IntN(100)
	switch {
	case n < 40:
		return lineartest.Request{Kind: lineartest.Read}
	case n < 45:
		return lineartest.Request{Kind: lineartest.Delete, Expected: lineartest.Any}
	}
	r := lineartest.Request{Kind: lineartest.Append, Expected: lineartest.Any}
	switch c.rng.IntN(4) {
	case 0:
	case 1:
		r.Expected = lineartest.NoStream
	default:
		r.Expected = c.at
	}
	for range 1 + c.rng.IntN(3) {
		c.ids++
		r.IDs = append(r.IDs, fmt.Sprintf("%d.%d", c.number, c.ids))
	}
	return r
}

// ask returns an error when nobody knows what became of the request.
func (c *contender) ask(ctx context.Context, r lineartest.Request) (lineartest.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if r.Kind == lineartest.Read {
		return c.read(ctx)
	}
	if r.Kind == lineartest.Delete {
		_, err := c.client.DeleteStream(ctx, c.stream, deleteOptions(r.Expected))
		return answerOf(lineartest.Unknown, err)
	}
	list := make([]esdb.EventData, len(r.IDs))
	for i, id := range r.IDs {
		list[i] = esdb.EventData{
			EventID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(id)), EventType: "Contended", ContentType: esdb.ContentTypeBinary, Data: []byte(id),
		}
	}
	done, err := c.client.AppendToStream(ctx, c.stream, revision(r.Expected), list...)
	if err != nil {
		return answerOf(lineartest.Unknown, err)
	}
	c.at = int64(done.NextExpectedVersion)
	return answerOf(c.at, nil)
}

// answerOf tells a refusal from no answer. The client has no code for the
// refusal of a delete.
func answerOf(revision int64, err error) (lineartest.Answer, error) {
	switch {
	case code(err) == esdb.ErrorCodeWrongExpectedVersion, err != nil && strings.Contains(err.Error(), "WrongExpectedVersion"):
		return lineartest.Answer{Refusal: lineartest.Wrong, Revision: lineartest.Unknown}, nil
	case code(err) == esdb.ErrorCodeResourceNotFound:
		return lineartest.Answer{Refusal: lineartest.Missing, Revision: lineartest.Unknown}, nil
	}
	return lineartest.Answer{Revision: revision}, err
}

func (c *contender) read(ctx context.Context) (a lineartest.Answer, err error) {
	s, err := c.client.ReadStream(ctx, c.stream, esdb.ReadStreamOptions{}, 1<<20)
	if err != nil {
		return a, err
	}
	defer s.Close()
	for {
		e, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return answerOf(lineartest.Unknown, err)
		}
		if len(a.IDs) == 0 {
			a.First = int64(e.Event.EventNumber)
		}
		a.IDs = append(a.IDs, string(e.Event.Data))
	}
}

// TestOneStreamIsLinearizableForClients has several clients at one stream while
// the node is stopped and started again.
func TestOneStreamIsLinearizableForClients(t *testing.T) {
	t.Parallel()
	const clients, steps = 4, 40
	n := nodetest.New(t, nodetest.Config{Node: small()})
	ctx, stop := context.WithCancel(deadline(t))
	defer stop()
	var h lineartest.History
	restarted := make(chan struct{})
	var working sync.WaitGroup
	for i := range clients {
		c := &contender{
			tb: t, number: i, rng: rand.New(rand.NewPCG(7, uint64(i))), history: &h, node: n, restarted: restarted,
			client: connect(t, n.ConnectionString()), stream: "contended", at: -1,
		}
		working.Go(func() { c.work(ctx, steps) })
	}
	for sent := 0; sent < clients*steps/2; sent, _ = h.Size() {
		time.Sleep(100 * time.Microsecond)
	}
	n.Restart()
	close(restarted)
	working.Wait()
	sent, answered := h.Size()
	if answered < sent/2 {
		t.Errorf("only %d of %d requests were answered", answered, sent)
	}
	if err := h.Check(20 * time.Second); err != nil {
		t.Error(err)
	}
}
