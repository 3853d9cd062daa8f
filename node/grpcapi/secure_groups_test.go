package grpcapi_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"os"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/waybill-dev/waybill/node/auth"
)

// groupCalls are everything a client can do with a group, but for reading it.
var groupCalls = []struct {
	name   string
	manage bool
	do     func(ctx context.Context, c *esdb.Client, stream, group string) error
}{
	{"create", true, func(ctx context.Context, c *esdb.Client, stream, group string) error {
		return c.CreatePersistentSubscription(ctx, stream, group, esdb.PersistentStreamSubscriptionOptions{})
	}},
	{"create for $all", true, func(ctx context.Context, c *esdb.Client, _, group string) error {
		return c.CreatePersistentSubscriptionToAll(ctx, group, esdb.PersistentAllSubscriptionOptions{})
	}},
	{"update", true, func(ctx context.Context, c *esdb.Client, stream, group string) error {
		return c.UpdatePersistentSubscription(ctx, stream, group, esdb.PersistentStreamSubscriptionOptions{})
	}},
	{"info", false, func(ctx context.Context, c *esdb.Client, stream, group string) error {
		_, err := c.GetPersistentSubscriptionInfo(ctx, stream, group, esdb.GetPersistentSubscriptionOptions{})
		return err
	}},
	{"list", false, func(ctx context.Context, c *esdb.Client, _, _ string) error {
		_, err := c.ListAllPersistentSubscriptions(ctx, esdb.ListPersistentSubscriptionsOptions{})
		return err
	}},
	{"list for a stream", false, func(ctx context.Context, c *esdb.Client, stream, _ string) error {
		_, err := c.ListPersistentSubscriptionsForStream(ctx, stream, esdb.ListPersistentSubscriptionsOptions{})
		return err
	}},
	{"replay", true, func(ctx context.Context, c *esdb.Client, stream, group string) error {
		return c.ReplayParkedMessages(ctx, stream, group, esdb.ReplayParkedMessagesOptions{})
	}},
	{"restart", true, func(ctx context.Context, c *esdb.Client, _, _ string) error {
		return c.RestartPersistentSubscriptionSubsystem(ctx, esdb.RestartPersistentSubscriptionSubsystemOptions{})
	}},
	{"delete", true, func(ctx context.Context, c *esdb.Client, stream, group string) error {
		return c.DeletePersistentSubscription(ctx, stream, group, esdb.DeletePersistentSubscriptionOptions{})
	}},
}

func TestGroupsAreManagedByAdministratorsAndOperators(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	for _, login := range []string{"admin", "ops", "ann", ""} {
		c := s.as(login)
		stream, group := unique("secure"), unique("group")
		mustAppend(t, s.as("admin"), stream, "a")
		if login == "ann" {
			createGroup(t, s.as("admin"), stream, group, quick())
		}
		for _, call := range groupCalls {
			want := none
			if login == "" || (login == "ann" && call.manage) {
				want = esdb.ErrorCodeAccessDenied
			}
			if got := code(call.do(deadline(t), c, stream, group)); got != want {
				t.Errorf("%s as %q: code %d, want %d", call.name, login, got, want)
			}
		}
	}
}

func TestAGroupIsReadByWhoMayReadItsStream(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	stream := unique("secure")
	admin := s.as("admin")
	mustAppend(t, admin, stream, "a")
	createGroup(t, admin, stream, "group", quick())
	if err := admin.CreatePersistentSubscriptionToAll(deadline(t), "group", esdb.PersistentAllSubscriptionOptions{}); err != nil {
		t.Fatal(err)
	}
	s.acl(stream, `{"$r":"ann"}`)
	for login, want := range map[string]esdb.ErrorCode{"admin": none, "ann": none, "ben": esdb.ErrorCodeAccessDenied, "ops": esdb.ErrorCodeAccessDenied, "": esdb.ErrorCodeAccessDenied} {
		sub, err := s.as(login).SubscribeToPersistentSubscription(deadline(t), stream, "group", esdb.SubscribeToPersistentSubscriptionOptions{})
		if code(err) != want {
			t.Errorf("%q: error = %v, want code %d", login, err, want)
		}
		if err == nil {
			_ = sub.Close()
		}
	}
	for login, want := range map[string]esdb.ErrorCode{"admin": none, "ann": esdb.ErrorCodeAccessDenied} {
		sub, err := s.as(login).SubscribeToPersistentSubscriptionToAll(deadline(t), "group", esdb.SubscribeToPersistentSubscriptionOptions{})
		if code(err) != want {
			t.Errorf("$all as %q: error = %v, want code %d", login, err, want)
		}
		if err == nil {
			_ = sub.Close()
		}
	}
}

func TestALostRightEndsAnIdleReaderOfAGroup(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(s *secure, stream string){
		"the stream's list": func(s *secure, stream string) { s.acl(stream, `{"$r":"ben"}`) },
		"a disabled account": func(s *secure, _ string) {
			s.change(func(ctx context.Context, accounts *auth.Accounts) error {
				return accounts.SetDisabled(ctx, "ann", true)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSecure(t)
			stream := unique("secure")
			mustAppend(t, s.as("admin"), stream, "a")
			createGroup(t, s.as("admin"), stream, "group", settings(func(s *esdb.PersistentSubscriptionSettings) { s.StartFrom = esdb.Start{} }))
			sub, err := s.as("ann").SubscribeToPersistentSubscription(deadline(t), stream, "group", esdb.SubscribeToPersistentSubscriptionOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan string, 10)
			go func() {
				defer close(got)
				for {
					e := sub.Recv()
					if e.SubscriptionDropped != nil {
						got <- e.SubscriptionDropped.Error.Error()
						return
					}
					if e.EventAppeared != nil {
						got <- letterOf(e.EventAppeared.Event)
					}
				}
			}()
			t.Cleanup(func() { _ = sub.Close() })
			if text := wait(t, got); text != "a" {
				t.Fatalf("received %q", text)
			}
			take(s, stream)
			if text := wait(t, got); text != denied {
				t.Errorf("received %q", text)
			}
		})
	}
}

func TestAGroupShowsNoTargetOfALinkThatItsReaderMayNotRead(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	admin := s.as("admin")
	closed, links := unique("closed"), unique("links")
	mustAppend(t, admin, closed, "b")
	s.acl(closed, `{"$r":"ben"}`)
	link := esdb.EventData{EventType: "$>", ContentType: esdb.ContentTypeBinary, Data: []byte("0@" + closed)}
	if _, err := admin.AppendToStream(deadline(t), links, revision(-2), link); err != nil {
		t.Fatal(err)
	}
	for login, shown := range map[string]bool{"ben": true, "ann": false} {
		createGroup(t, admin, links, login, settings(func(s *esdb.PersistentSubscriptionSettings) {
			s.StartFrom, s.ResolveLinkTos = esdb.Start{}, true
		}))
		sub, err := s.as(login).SubscribeToPersistentSubscription(deadline(t), links, login, esdb.SubscribeToPersistentSubscriptionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sub.Close() })
		e := sub.Recv()
		if e.EventAppeared == nil || e.EventAppeared.Event.Link == nil {
			t.Fatalf("%s: no link came: %+v", login, e)
		}
		if got := e.EventAppeared.Event.Event != nil; got != shown {
			t.Errorf("%s sees what the link points at: %v, want %v", login, got, shown)
		}
	}
}

// dialAs is a connection for what the Go client does not do.
func (s *secure) dialAs(login, password string) (*grpc.ClientConn, context.Context) {
	s.tb.Helper()
	pem, err := os.ReadFile(s.authority.file)
	if err != nil {
		s.tb.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	conn, err := grpc.NewClient(s.addr, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots})))
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = conn.Close() })
	ctx := deadline(s.tb)
	if login != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(login+":"+password)))
	}
	return conn, ctx
}

func TestEachBatchAsksForItsStream(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	open, closed := unique("open"), unique("closed")
	s.acl(closed, `{"$w":"ben"}`)
	conn, ctx := s.dialAs("ann", userPassword)
	call, err := streams.NewStreamsClient(conn).BatchAppend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		stream string
		want   codes.Code
	}{{open, codes.OK}, {closed, codes.PermissionDenied}, {"$system", codes.PermissionDenied}, {"$all", codes.PermissionDenied}, {open, codes.OK}} {
		sendBatches(t, call, wholeBatch(row.stream, -2, "a"))
		if got := codes.Code(nextBatch(t, call).GetError().GetCode()); got != row.want {
			t.Errorf("%s: %s, want %s", row.stream, got, row.want)
		}
	}
	// A call that goes on is of no use to an account that is disabled.
	s.change(func(ctx context.Context, accounts *auth.Accounts) error {
		return accounts.SetDisabled(ctx, "ann", true)
	})
	sendBatches(t, call, wholeBatch(open, -2, "b"))
	if got := codes.Code(nextBatch(t, call).GetError().GetCode()); got != codes.PermissionDenied {
		t.Errorf("a disabled account: %s", got)
	}
	for password, want := range map[string]codes.Code{"": codes.PermissionDenied, "wrong": codes.Unauthenticated} {
		login := "ann"
		if password == "" {
			login = ""
		}
		conn, ctx := s.dialAs(login, password)
		call, err := streams.NewStreamsClient(conn).BatchAppend(ctx)
		if err != nil {
			t.Fatal(err)
		}
		sendBatches(t, call, wholeBatch(open, -2, "a"))
		if _, err := call.Recv(); status.Code(err) != want {
			t.Errorf("error = %v, want %s", err, want)
		}
	}
}
