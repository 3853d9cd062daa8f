package guard_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/webhooks/guard"
)

// A receiver, or what is before it, goes away without a word: connections to it
// stay open and lead nowhere. One of HTTP/2, which all attempts share, is given
// up, and the next attempt reaches whoever is there by then.
func TestAConnectionThatLeadsNowhereIsGivenUp(t *testing.T) {
	t.Parallel()
	var protocol atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { protocol.Store(int64(r.ProtoMajor)) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	way := newWay(t, server.Listener.Addr().String())
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client := guard.NewClient(guard.Config{Policy: development, TLSConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Silence: 200 * time.Millisecond})
	t.Cleanup(client.GetClient().CloseIdleConnections)
	attempt := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := client.R().SetContext(ctx).SetBody([]byte(`{}`)).Post("https://" + way.Addr().String())
		return err
	}
	if err := attempt(); err != nil || protocol.Load() != 2 {
		t.Fatalf("HTTP/%d, %v", protocol.Load(), err)
	}
	way.lost.Add(1)
	for n := 1; ; n++ {
		err := attempt()
		if err == nil {
			break
		}
		if n == 5 {
			t.Fatalf("%d attempts on a connection that leads nowhere: %v", n, err)
		}
	}
}

// way forwards connections to a server, until it loses those that there are.
type way struct {
	net.Listener
	to   string
	lost atomic.Int64
}

func newWay(t *testing.T, to string) *way {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &way{Listener: listener, to: to}
	t.Cleanup(func() { _ = w.Close() })
	go func() {
		for {
			conn, err := w.Accept()
			if err != nil {
				return
			}
			go w.forward(t.Context(), conn)
		}
	}()
	return w
}

func (w *way) forward(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	made := w.lost.Load()
	on, err := (&net.Dialer{}).DialContext(ctx, "tcp", w.to)
	if err != nil {
		return
	}
	defer on.Close()
	pass := func(from, to net.Conn) {
		buffer := make([]byte, 4096)
		for {
			n, err := from.Read(buffer)
			if err != nil {
				return
			}
			if w.lost.Load() != made {
				continue // as if nobody were there
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
	go pass(on, conn)
	pass(conn, on)
}
