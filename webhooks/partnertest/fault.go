package partnertest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
)

type releaseKey struct{}

func withRelease(ctx context.Context, release <-chan struct{}) context.Context {
	return context.WithValue(ctx, releaseKey{}, release)
}

// hang waits until the client has enough of it, or the test is over.
func hang(r *http.Request) {
	release, _ := r.Context().Value(releaseKey{}).(<-chan struct{})
	select {
	case <-r.Context().Done():
	case <-release:
	}
}

// Status answers with a status and headers, "Name: value".
func Status(status int, headers ...string) Fault {
	return Fault{Name: fmt.Sprint(status), Header: headers, Answer: func(w http.ResponseWriter, _ *http.Request) {
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			w.Header().Add(name, value)
		}
		w.WriteHeader(status)
	}}
}

// Silence reads a request and says nothing.
func Silence() Fault {
	return Fault{Name: "silence", Answer: func(_ http.ResponseWriter, r *http.Request) { hang(r) }}
}

// HangingBody answers with a status and then stops in the middle of the body.
func HangingBody(status int) Fault {
	return Fault{Name: "hanging body", Answer: func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("one mom"))
		_ = http.NewResponseController(w).Flush()
		hang(r)
	}}
}

// HugeHeaders answers with 64 KB of headers.
func HugeHeaders() Fault {
	return Fault{Name: "huge headers", Answer: func(w http.ResponseWriter, _ *http.Request) {
		for i := range 64 {
			w.Header().Set(fmt.Sprint("X-Huge-", i), strings.Repeat("x", 1<<10))
		}
	}}
}

// GzipBomb answers with a status and 64 MB of zeroes in 64 KB.
func GzipBomb(status int) Fault {
	bomb := Bomb()
	return Fault{Name: "gzip bomb", Answer: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(status)
		_, _ = w.Write(bomb)
	}}
}

// Bomb is 64 MB of zeroes in gzip. It is packed once and before anybody waits
// for it: an attempt has no time for that.
var Bomb = sync.OnceValue(func() []byte {
	var packed bytes.Buffer
	packer, zeroes := gzip.NewWriter(&packed), make([]byte, 1<<20)
	for range 64 {
		_, _ = packer.Write(zeroes) // into memory
	}
	_ = packer.Close()
	return packed.Bytes()
})

// ResetAtConnect resets the connection before the handshake.
func ResetAtConnect() Fault { return Fault{Name: "reset at connect", Connection: reset} }

// ResetInHandshake resets the connection when the client has begun to talk.
func ResetInHandshake() Fault {
	return Fault{Name: "reset in handshake", Connection: func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 16))
		reset(conn)
	}}
}

// NoTLS answers the handshake in plain HTTP.
func NoTLS() Fault {
	return Fault{Name: "no TLS", Connection: func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = conn.Write([]byte("HTTP/1.0 400 Bad Request\r\n\r\nthis is no TLS\n"))
		_ = conn.Close()
	}}
}

// ResetAfterRequest resets the connection instead of an answer.
func ResetAfterRequest() Fault { return afterRequest("reset after request", "") }

// ResetInHead resets the connection in the middle of the answer's head.
func ResetInHead() Fault { return afterRequest("reset in head", "HTTP/1.1 200 OK\r\nX-") }

// ResetInBody resets the connection in the middle of the answer's body.
func ResetInBody(status int) Fault {
	return afterRequest("reset in body", fmt.Sprintf("HTTP/1.1 %d Whatever\r\nContent-Length: 100\r\n\r\nhalf", status))
}

// Garbage answers what is no HTTP.
func Garbage() Fault { return afterRequest("garbage", "\x00\x01\x02 nonsense\r\n\r\n") }

func afterRequest(name, text string) Fault {
	return Fault{Name: name, Answer: func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err) // HTTP/1.1 can
		}
		_, _ = conn.Write([]byte(text))
		secure, ok := conn.(*tls.Conn)
		if !ok {
			panic("a partner talks TLS")
		}
		reset(secure.NetConn())
	}}
}

// reset drops a connection without a farewell.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// Expired shows a certificate whose time is over.
func Expired() Fault { return certificate("expired certificate", "expired") }

// WrongName shows a certificate for another host.
func WrongName() Fault { return certificate("certificate for another name", "wrong name") }

func certificate(name, pair string) Fault {
	return Fault{Name: name, TLS: func(p *Partner) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{p.pairs[pair].Pair}, MinVersion: tls.VersionTLS12}
	}}
}

// OldTLS speaks TLS 1.1 at most.
func OldTLS() Fault {
	return Fault{Name: "TLS 1.1", TLS: func(p *Partner) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{p.pairs["good"].Pair}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11} //nolint:gosec // that is the fault
	}}
}
