package grpcapi_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/auth"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

const adminPassword, userPassword = "admin-password", "user-password"

// authority signs certificates for 127.0.0.1.
type authority struct {
	tb   testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	file string // the certificate in PEM
	next int64

	mu    sync.Mutex
	until time.Time // of the certificate issued last
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	a := &authority{tb: tb, file: filepath.Join(tb.TempDir(), "ca.crt"), next: 1}
	template := a.template()
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	a.key = newKey(tb)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		tb.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		tb.Fatal(err)
	}
	writePEM(tb, a.file, "CERTIFICATE", der)
	return a
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func writePEM(tb testing.TB, file, typ string, der []byte) {
	tb.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func (a *authority) template() *x509.Certificate {
	a.next++
	return &x509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: fmt.Sprint("test ", a.next)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

// issue writes a new certificate and its key into dir.
func (a *authority) issue(dir string) (cert, key string) {
	a.tb.Helper()
	return a.issueFor(dir, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
}

// issueFor says from when and until when the certificate is valid.
func (a *authority) issueFor(dir string, from, until time.Time) (cert, key string) {
	a.tb.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.until = until
	template := a.template()
	template.NotBefore, template.NotAfter = from, until
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	private := newKey(a.tb)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		a.tb.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		a.tb.Fatal(err)
	}
	cert, key = filepath.Join(dir, "node.crt"), filepath.Join(dir, "node.key")
	writePEM(a.tb, cert, "CERTIFICATE", der)
	writePEM(a.tb, key, "EC PRIVATE KEY", encoded)
	return cert, key
}

// secure is a node with TLS and the accounts admin, ops, ann and ben.
type secure struct {
	tb        testing.TB
	node      *node.Node
	server    *grpcapi.Server
	authority *authority
	addr      string
	dir       string // of the certificate
}

func newSecure(tb testing.TB) *secure {
	tb.Helper()
	return newSecureAt(tb, time.Now)
}

func newSecureAt(tb testing.TB, now func() time.Time) *secure {
	tb.Helper()
	s := &secure{tb: tb, authority: newAuthority(tb), dir: tb.TempDir()}
	cfg := small()
	cfg.Dir, cfg.FS, cfg.Now = "node", vfs.NewMem(), time.Now
	var err error
	if s.node, err = node.Open(cfg); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.node.Close() })
	a, err := auth.Open(deadline(tb), s.node, auth.Config{AdminPassword: adminPassword, OpsPassword: adminPassword})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(a.Close)
	cert, key := s.authority.issue(s.dir)
	files, err := grpcapi.TLSFromFiles(cert, key, now, nil)
	if err != nil {
		tb.Fatal(err)
	}
	s.server, err = grpcapi.Listen("127.0.0.1:0", s.node, grpcapi.Config{Secure: &grpcapi.Secure{TLS: files, Auth: a}})
	if err != nil {
		tb.Fatal(err)
	}
	s.addr = s.server.Addr()
	tb.Cleanup(s.stop)
	for _, login := range []string{"ann", "ben"} {
		s.change(func(ctx context.Context, accounts *auth.Accounts) error {
			return accounts.Add(ctx, auth.Account{Login: login}, userPassword)
		})
	}
	return s
}

func (s *secure) stop() {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.server.Stop(ctx); err != nil {
		s.tb.Error(err)
	}
}

func (s *secure) change(do func(context.Context, *auth.Accounts) error) {
	s.tb.Helper()
	if err := do(deadline(s.tb), auth.NewAccounts(auth.OfNode(s.node))); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *secure) connectionString(credentials string) string {
	if credentials != "" {
		credentials += "@"
	}
	return "esdb://" + credentials + s.addr + "?tlsCaFile=" + s.authority.file
}

// as connects with a login, or with none.
func (s *secure) as(login string) *esdb.Client {
	s.tb.Helper()
	credentials := login + ":" + userPassword
	switch login {
	case "":
		credentials = ""
	case "admin", "ops":
		credentials = login + ":" + adminPassword
	}
	return connect(s.tb, s.connectionString(credentials))
}

func (s *secure) acl(stream, acl string) {
	s.tb.Helper()
	e := esdb.EventData{EventType: "$metadata", ContentType: esdb.ContentTypeJson, Data: []byte(`{"$acl":` + acl + `}`)}
	if _, err := s.as("admin").AppendToStream(deadline(s.tb), "$$"+stream, revision(-2), e); err != nil {
		s.tb.Fatal(err)
	}
}

// first is the error of a read, which shows at the first event.
func first(s *esdb.ReadStream, err error) error {
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.Recv()
	return err
}
