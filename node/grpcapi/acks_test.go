package grpcapi

import (
	"bytes"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wire remembers what is written to it, write by write.
type wire struct {
	net.Conn
	mu     sync.Mutex
	writes [][]byte
}

// Write implements [net.Conn].
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, bytes.Clone(p))
	return len(p), nil
}

func (w *wire) all() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.writes)
}

// TestAcknowledgementsOfPings has the clock of a bubble: times are exact.
func TestAcknowledgementsOfPings(t *testing.T) {
	t.Parallel()
	ack := append(bytes.Clone(pingAck), 2, 4, 16, 16, 9, 14, 7, 7)
	answer, large := bytes.Repeat([]byte{7}, 50), bytes.Repeat([]byte{8}, 2*withAcks)
	ping := append([]byte{0, 0, 8, 6, 0, 0, 0, 0, 0}, ack[9:]...)
	const never = time.Duration(-1)
	for name, tc := range map[string]struct {
		write [][]byte
		pause time.Duration // after the first write
		want  [][]byte
	}{
		"go with the next answer":         {[][]byte{ack, answer}, never, [][]byte{append(bytes.Clone(ack), answer...)}},
		"go before a large one":           {[][]byte{ack, large}, never, [][]byte{ack, large}},
		"go with one another":             {[][]byte{ack, ack}, never, [][]byte{append(bytes.Clone(ack), ack...)}},
		"go alone when nothing follows":   {[][]byte{ack}, patience, [][]byte{ack}},
		"and leave later answers alone":   {[][]byte{ack, answer}, patience, [][]byte{ack, answer}},
		"wait until then":                 {[][]byte{ack}, patience - 1, nil},
		"and nothing else waits":          {[][]byte{answer, ping}, never, [][]byte{answer, ping}},
		"begin anew":                      {[][]byte{ack, answer, ack, answer}, never, [][]byte{append(bytes.Clone(ack), answer...), append(bytes.Clone(ack), answer...)}},
		"go alone again after the answer": {[][]byte{answer, ack, answer}, never, [][]byte{answer, append(bytes.Clone(ack), answer...)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &wire{}
				c := &patient{Conn: w}
				for i, p := range tc.write {
					if n, err := c.Write(p); n != len(p) || err != nil {
						t.Fatalf("write %d said %d, %v", i, n, err)
					}
					if i == 0 && tc.pause != never {
						time.Sleep(tc.pause)
						synctest.Wait()
					}
				}
				if diff := cmp.Diff(tc.want, w.all()); diff != "" {
					t.Errorf("writes differ (-want +got):\n%s", diff)
				}
				time.Sleep(patience)
				synctest.Wait()
				if got, want := bytes.Join(w.all(), nil), bytes.Join(tc.write, nil); !bytes.Equal(got, want) {
					t.Errorf("in the end %d bytes were written, not %d in their order", len(got), len(want))
				}
			})
		})
	}
}
