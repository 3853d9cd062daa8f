package grpcapi_test

import (
	"net"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/net/http2"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

// TestIdleConnectionsArePinged, so that one whose other end has gone without a
// word does not stay for ever.
func TestIdleConnectionsArePinged(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("this test takes ten seconds")
	}
	conn, err := new(net.Dialer).DialContext(deadline(t), "tcp", hostOf(address(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const longest = 15 * time.Second
	if err := conn.SetDeadline(time.Now().Add(longest)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	frames := http2.NewFramer(conn, conn)
	if err := frames.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := frames.ReadFrame()
		if err != nil {
			t.Fatalf("within %s no ping came: %v", longest, err)
		}
		if p, ok := f.(*http2.PingFrame); ok && !p.IsAck() {
			return
		}
	}
}

// TestGossipNamesTheAddressThatIsAdvertised: behind a proxy, or in a container,
// the address that was reached is not the one to dial.
func TestGossipNamesTheAddressThatIsAdvertised(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	cfg := small()
	cfg.Dir, cfg.FS, cfg.Now = "node", vfs.NewMem(), time.Now
	n, err := node.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	s, err := grpcapi.Listen("127.0.0.1:0", n, grpcapi.Config{Advertise: "events.example.com:2113"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(deadline(t)); err != nil {
			t.Error(err)
		}
	}()
	conn := dial(t, s.ConnectionString())
	got, err := gossip.NewGossipClient(conn).Read(deadline(t), &shared.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	at := got.GetMembers()[0].GetHttpEndPoint()
	if at.GetAddress() != "events.example.com" || at.GetPort() != 2113 {
		t.Errorf("the member is at %v", at)
	}
	_ = conn.Close() // or the shutdown would wait for it
}
