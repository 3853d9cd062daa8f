package auth_test

import (
	"context"
	"encoding/base64"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const adminPassword, opsPassword, userPassword = "admin-password", "ops-password", "user-password"

func deadline(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

func openNode(tb testing.TB, cfg node.Config) *node.Node {
	tb.Helper()
	cfg.Dir, cfg.FS, cfg.Now = "node", vfs.NewMem(), time.Now
	cfg.CacheBytes, cfg.MemTableBytes = 1<<20, 1<<20
	n, err := node.Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := n.Close(); err != nil {
			tb.Error(err)
		}
	})
	return n
}

func openAuth(tb testing.TB, n *node.Node, cfg auth.Config) *auth.Auth {
	tb.Helper()
	a, err := auth.Open(deadline(tb), n, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(a.Close)
	return a
}

// open is a secure node with the accounts admin, ops and those named, of which
// each is in a group "g-" and its name.
func open(tb testing.TB, logins ...string) (*node.Node, *auth.Auth) {
	tb.Helper()
	n := openNode(tb, node.Config{})
	a := openAuth(tb, n, auth.Config{AdminPassword: adminPassword, OpsPassword: opsPassword})
	for _, login := range logins {
		add(tb, n, auth.Account{Login: login, Groups: []string{"g-" + login}})
	}
	return n, a
}

func add(tb testing.TB, n *node.Node, who auth.Account) {
	tb.Helper()
	if err := auth.NewAccounts(auth.OfNode(n)).Add(deadline(tb), who, userPassword); err != nil {
		tb.Fatal(err)
	}
}

func basic(login, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(login+":"+password))
}

func login(tb testing.TB, a *auth.Auth, name, password string) *auth.Principal {
	tb.Helper()
	p, err := a.Authenticate(deadline(tb), "test", basic(name, password))
	if err != nil || p == nil || p.Login() != name {
		tb.Fatalf("authenticate %s: %v, %v", name, p, err)
	}
	return p
}

func user(tb testing.TB, a *auth.Auth, name string) *auth.Principal {
	tb.Helper()
	return login(tb, a, name, userPassword)
}

// write appends JSON of any type to a stream.
func write(tb testing.TB, n *node.Node, stream, data string) {
	tb.Helper()
	_, err := n.Append(deadline(tb), node.Append{Stream: stream, Expected: node.ExpectAny, Events: []node.Event{
		{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: []byte(data)},
	}})
	if err != nil {
		tb.Fatal(err)
	}
}

func writeACL(tb testing.TB, n *node.Node, stream, acl string) {
	tb.Helper()
	write(tb, n, node.MetadataStream(stream), `{"$acl":`+acl+`}`)
}
