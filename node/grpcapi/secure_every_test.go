package grpcapi

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/auth"
)

// No method there is, nor one that will be, can be reached without credentials,
// but for those that are open on purpose.
func TestNoMethodIsForgotten(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s := listenSecurely(ctx, t)
	conn, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ask := func(ctx context.Context, method string) codes.Code {
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.SendMsg(&shared.Empty{})
		_ = stream.CloseSend()
		return status.Code(stream.RecvMsg(&shared.Empty{}))
	}
	var open []string
	for service, info := range s.grpc.GetServiceInfo() {
		for _, m := range info.Methods {
			method := "/" + service + "/" + m.Name
			got := ask(ctx, method)
			if got == codes.OK {
				open = append(open, method)
				continue
			}
			if got != codes.PermissionDenied {
				t.Errorf("%s without credentials: %s", method, got)
			}
			wrong := metadata.AppendToOutgoingContext(ctx, "authorization", "Basic YWRtaW46Y2hhbmdlaXQ=")
			if got := ask(wrong, method); got != codes.Unauthenticated {
				t.Errorf("%s with wrong credentials: %s", method, got)
			}
		}
	}
	if len(open) != 2 || !strings.Contains(strings.Join(open, " "), "Gossip/Read") || !strings.Contains(strings.Join(open, " "), "GetSupportedMethods") {
		t.Errorf("open to everybody: %s", open)
	}
}

func listenSecurely(ctx context.Context, t *testing.T) *Server {
	t.Helper()
	n, err := node.Open(node.Config{Dir: "node", FS: vfs.NewMem(), Now: time.Now, CacheBytes: 1 << 20, MemTableBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	a, err := auth.Open(ctx, n, auth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	s, err := Listen("127.0.0.1:0", n, Config{Secure: &Secure{TLS: selfSigned(t), Auth: a}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = s.Stop(ctx)
	})
	return s
}

func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}
