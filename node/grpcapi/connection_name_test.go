package grpcapi_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/protobuf/proto"
)

// TestAClientsNameMayBeAnyBytes: a header may, and what others ask about the
// group has to be text.
func TestAClientsNameMayBeAnyBytes(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	at, stream := address(t), unique("named")
	c := connect(t, at)
	if err := c.CreatePersistentSubscription(deadline(t), stream, "g", esdb.PersistentStreamSubscriptionOptions{}); err != nil {
		t.Fatal(err)
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(at, "esdb://"), "?")
	body, hold := io.Pipe()
	defer hold.Close()
	req, err := http.NewRequestWithContext(deadline(t), http.MethodPost, "http://"+host+"/event_store.client.persistent_subscriptions.PersistentSubscriptions/Read", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	req.Header.Set("Connection-Name", "\xff\xfe"+strings.Repeat("n", 9000))
	go func() {
		_, _ = hold.Write(frameOf(&persistent.ReadReq{Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{
			StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)}},
			GroupName:    "g", BufferSize: 5,
			UuidOption: &persistent.ReadReq_Options_UUIDOption{Content: &persistent.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}},
		}}}))
	}()
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.ReadFull(answer.Body, make([]byte, 5)); err != nil { // it is confirmed
		t.Fatal(err)
	}
	info, err := c.GetPersistentSubscriptionInfo(deadline(t), stream, "g", esdb.GetPersistentSubscriptionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(info.Connections); n != 1 {
		t.Fatalf("the group has %d clients", n)
	}
	if name := info.Connections[0].ConnectionName; !strings.HasPrefix(name, "\uFFFDnnn") || len(name) > 1200 {
		t.Errorf("the client's name is %.100q", name)
	}
}

func frameOf(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return bytes.Join([][]byte{{0}, binary.BigEndian.AppendUint32(nil, uint32(len(b))), b}, nil)
}
