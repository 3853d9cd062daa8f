package partnertest

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Names is a DNS server whose answers change from one question to the next:
// the first gets the first address, and so on; the last address stays.
type Names struct {
	*net.Resolver
	mu      sync.Mutex
	answers []netip.Addr
	asked   int
}

// NewNames starts a DNS server. Its addresses are IPv4.
func NewNames(tb testing.TB, answers ...netip.Addr) *Names {
	tb.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(tb.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	n := &Names{answers: answers}
	n.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	done := make(chan struct{})
	go func() { defer close(done); n.serve(conn) }()
	tb.Cleanup(func() { _ = conn.Close(); <-done })
	return n
}

// Asked returns how many addresses were asked for.
func (n *Names) Asked() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func (n *Names) serve(conn net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		size, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		var query dnsmessage.Message
		if query.Unpack(buffer[:size]) != nil || len(query.Questions) != 1 {
			continue
		}
		if answer, err := n.answer(query); err == nil {
			_, _ = conn.WriteTo(answer, from)
		}
	}
}

func (n *Names) answer(query dnsmessage.Message) ([]byte, error) {
	question := query.Questions[0]
	answer := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: query.ID, Response: true, Authoritative: true, RecursionAvailable: true},
		Questions: query.Questions,
	}
	if question.Type == dnsmessage.TypeA {
		answer.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.AResource{A: n.next().As4()},
		}}
	}
	return answer.Pack()
}

func (n *Names) next() netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := min(n.asked, len(n.answers)-1)
	n.asked++
	return n.answers[at]
}
