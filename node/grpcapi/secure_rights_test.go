package grpcapi_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/waybill-dev/waybill/node/auth"
	"github.com/waybill-dev/waybill/node/auth/remote"
)

// streamCalls are everything a client can do with a stream.
var streamCalls = map[string]func(context.Context, *esdb.Client, string) error{
	"append": func(ctx context.Context, c *esdb.Client, stream string) error {
		_, err := c.AppendToStream(ctx, stream, revision(-2), events("xy")...)
		return err
	},
	"read": func(ctx context.Context, c *esdb.Client, stream string) error {
		return first(c.ReadStream(ctx, stream, esdb.ReadStreamOptions{}, 10))
	},
	"subscribe": func(ctx context.Context, c *esdb.Client, stream string) error {
		s, err := c.SubscribeToStream(ctx, stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
		if err != nil {
			return err
		}
		return s.Close()
	},
	"write metadata": func(ctx context.Context, c *esdb.Client, stream string) error {
		_, err := c.SetStreamMetadata(ctx, stream, revision(-2), esdb.StreamMetadata{})
		return err
	},
	"read metadata": func(ctx context.Context, c *esdb.Client, stream string) error {
		_, err := c.GetStreamMetadata(ctx, stream, esdb.ReadStreamOptions{})
		return err
	},
	"delete": func(ctx context.Context, c *esdb.Client, stream string) error {
		_, err := c.DeleteStream(ctx, stream, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
		return err
	},
	"tombstone": func(ctx context.Context, c *esdb.Client, stream string) error {
		_, err := c.TombstoneStream(ctx, stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
		return err
	},
}

// allCalls are everything a client can do with the whole log.
var allCalls = map[string]func(context.Context, *esdb.Client) error{
	"read": func(ctx context.Context, c *esdb.Client) error {
		return first(c.ReadAll(ctx, esdb.ReadAllOptions{From: esdb.Start{}}, 10))
	},
	"subscribe": func(ctx context.Context, c *esdb.Client) error {
		s, err := c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
		if err != nil {
			return err
		}
		return s.Close()
	},
}

const none = esdb.ErrorCode(-1)

func TestRightWrongAndNoCredentials(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	for name, row := range map[string]struct {
		credentials string
		want        esdb.ErrorCode
	}{
		"right":            {"ann:" + userPassword, none},
		"a wrong password": {"ann:wrong", esdb.ErrorCodeUnauthenticated},
		"an unknown login": {"who:wrong", esdb.ErrorCodeUnauthenticated},
		"none":             {"", esdb.ErrorCodeAccessDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := connect(t, s.connectionString(row.credentials))
			stream := unique("secure")
			mustAppend(t, s.as("admin"), stream, "ab")
			for _, call := range []string{"read", "append", "subscribe", "delete"} {
				if got := code(streamCalls[call](deadline(t), c, stream)); got != row.want {
					t.Errorf("%s: code %d, want %d", call, got, row.want)
				}
			}
		})
	}
}

// The client reports that it cannot send, and not why, when it is answered
// while it sends.
func TestALargeAppendIsToldWhyItIsRefused(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	large := func(size int) []esdb.EventData {
		list := make([]esdb.EventData, size/1000)
		for i := range list {
			list[i] = esdb.EventData{EventType: "t", ContentType: esdb.ContentTypeBinary, Data: make([]byte, 1000)}
		}
		return list
	}
	closed := unique("closed")
	s.acl(closed, `{"$w":"ben"}`)
	for _, row := range []struct {
		credentials string
		size        int
		want        esdb.ErrorCode
	}{
		{"ann:wrong", 8_000_000, esdb.ErrorCodeUnauthenticated},
		{"", 8_000_000, esdb.ErrorCodeAccessDenied},
		{"ann:" + userPassword, 1_000_000, esdb.ErrorCodeAccessDenied},
	} {
		c := connect(t, s.connectionString(row.credentials))
		for range 3 {
			if _, err := c.AppendToStream(deadline(t), closed, revision(-2), large(row.size)...); code(err) != row.want {
				t.Errorf("%q: error = %v, want code %d", row.credentials, err, row.want)
			}
		}
	}
}

func TestCredentialsOfOneCallReplaceThoseOfTheConnection(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	c := s.as("")
	o := revision(-2)
	o.Authenticated = &esdb.Credentials{Login: "ann", Password: userPassword}
	if _, err := c.AppendToStream(deadline(t), unique("secure"), o, events("a")...); err != nil {
		t.Error(err)
	}
	o.Authenticated.Password = "wrong"
	if _, err := s.as("ann").AppendToStream(deadline(t), unique("secure"), o, events("a")...); code(err) != esdb.ErrorCodeUnauthenticated {
		t.Errorf("error = %v", err)
	}
}

func TestWithoutTheAuthorityTheCertificateIsNotTrusted(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	c := connect(t, "esdb://ann:"+userPassword+"@"+s.addr+"?maxDiscoverAttempts=1")
	if err := streamCalls["append"](deadline(t), c, "s"); err == nil {
		t.Error("the client trusts a certificate of an authority it does not know")
	}
	c = connect(t, "esdb://"+s.addr+"?tls=false&maxDiscoverAttempts=1")
	if err := streamCalls["append"](deadline(t), c, "s"); err == nil {
		t.Error("the node listens without TLS")
	}
}

func TestEveryCallAsksForTheRightItNeeds(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	ann := s.as("ann")
	for call, right := range map[string]string{
		"append": "$w", "read": "$r", "subscribe": "$r", "write metadata": "$mw", "read metadata": "$mr", "delete": "$d", "tombstone": "$d",
	} {
		for _, given := range []string{"$r", "$w", "$d", "$mr", "$mw"} {
			t.Run(call+" with "+given, func(t *testing.T) {
				t.Parallel()
				stream := unique("secure")
				mustAppend(t, s.as("admin"), stream, "ab")
				rights := `"$r":"ben","$w":"ben","$d":"ben","$mr":"ben","$mw":"ben"`
				s.acl(stream, "{"+rights+`,"`+given+`":"ann"}`)
				want := esdb.ErrorCodeAccessDenied
				if given == right {
					want = none
				}
				if got := code(streamCalls[call](deadline(t), ann, stream)); got != want {
					t.Errorf("code %d, want %d", got, want)
				}
			})
		}
	}
}

func TestTheWholeLogIsForAdministratorsAndWhomTheyLet(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	check := func(login string, want esdb.ErrorCode) {
		t.Helper()
		c := s.as(login)
		for name, call := range allCalls {
			if got := code(call(deadline(t), c)); got != want {
				t.Errorf("%s as %q: code %d, want %d", name, login, got, want)
			}
		}
	}
	check("admin", none)
	check("ops", esdb.ErrorCodeAccessDenied)
	check("ann", esdb.ErrorCodeAccessDenied)
	check("", esdb.ErrorCodeAccessDenied)
	s.acl("$all", `{"$r":"ann"}`)
	check("ann", none)
	check("ben", esdb.ErrorCodeAccessDenied)
}

// received tells what a subscription brings: the letters of events, and the
// code it ends with.
func received(tb testing.TB, s *esdb.Subscription) <-chan string {
	tb.Helper()
	tb.Cleanup(func() { _ = s.Close() })
	got := make(chan string, 100)
	go func() {
		defer close(got)
		for {
			e := s.Recv()
			switch {
			case e.SubscriptionDropped != nil:
				if e.SubscriptionDropped.Error != nil {
					got <- e.SubscriptionDropped.Error.Error()
				}
				return
			case e.EventAppeared != nil:
				got <- letterOf(e.EventAppeared)
			}
		}
	}()
	return got
}

func wait(tb testing.TB, got <-chan string) string {
	tb.Helper()
	select {
	case text := <-got:
		return text
	case <-deadline(tb).Done():
		tb.Fatal("nothing came")
	}
	return ""
}

const denied = "rpc error: code = PermissionDenied desc = Access Denied"

func TestALostRightEndsWhatRuns(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(s *secure, stream string){
		"the stream's list": func(s *secure, stream string) { s.acl(stream, `{"$r":"ben"}`) },
		"the settings": func(s *secure, _ string) {
			e := esdb.EventData{EventType: "$settings", ContentType: esdb.ContentTypeJson, Data: []byte(`{"$userStreamAcl":{"$r":"ben"}}`)}
			if _, err := s.as("admin").AppendToStream(deadline(s.tb), "$settings", revision(-2), e); err != nil {
				s.tb.Fatal(err)
			}
		},
		"a disabled account": func(s *secure, _ string) {
			s.change(func(ctx context.Context, accounts *auth.Accounts) error {
				return accounts.SetDisabled(ctx, "ann", true)
			})
		},
		"another password": func(s *secure, _ string) {
			s.change(func(ctx context.Context, accounts *auth.Accounts) error {
				return accounts.SetPassword(ctx, "ann", "another-password")
			})
		},
	} {
		for _, idle := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, idle: %v", name, idle), func(t *testing.T) {
				t.Parallel()
				loseRight(t, take, idle)
			})
		}
	}
}

func loseRight(t *testing.T, take func(s *secure, stream string), idle bool) {
	t.Helper()
	s := newSecure(t)
	stream := unique("secure")
	mustAppend(t, s.as("admin"), stream, "a")
	sub, err := s.as("ann").SubscribeToStream(deadline(t), stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	got := received(t, sub)
	mustAppend(t, s.as("admin"), stream, "b")
	for _, want := range []string{"a", "b"} {
		if text := wait(t, got); text != want {
			t.Fatalf("received %q, want %q", text, want)
		}
	}
	take(s, stream)
	if !idle {
		mustAppend(t, s.as("admin"), stream, "c")
	}
	if text := wait(t, got); text != denied {
		t.Errorf("received %q", text)
	}
}

func TestALostRightEndsAnIdleSubscriptionToAll(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	s.acl("$all", `{"$r":"ann"}`)
	sub, err := s.as("ann").SubscribeToAll(deadline(t), esdb.SubscribeToAllOptions{
		From: esdb.End{}, Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"never"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := received(t, sub)
	s.acl("$all", `{}`)
	if text := wait(t, got); text != denied {
		t.Errorf("received %q", text)
	}
}

// A right that somebody else loses ends nothing.
func TestAChangeElsewhereEndsNothing(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	stream := unique("secure")
	sub, err := s.as("ann").SubscribeToStream(deadline(t), stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	got := received(t, sub)
	s.acl("another", `{"$r":[]}`)
	s.acl(stream, `{"$r":"ann","$w":[]}`)
	s.change(func(ctx context.Context, accounts *auth.Accounts) error {
		return accounts.SetDisabled(ctx, "ben", true)
	})
	mustAppend(t, s.as("admin"), stream, "a")
	if text := wait(t, got); text != "a" {
		t.Errorf("received %q", text)
	}
}

func TestALinkShowsNothingThatItsReaderMayNotRead(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	open, closed, links := unique("open"), unique("closed"), unique("links")
	admin := s.as("admin")
	mustAppend(t, admin, open, "a")
	mustAppend(t, admin, closed, "b")
	s.acl(closed, `{"$r":"ben"}`)
	for _, stream := range []string{open, closed} {
		link := esdb.EventData{EventType: "$>", ContentType: esdb.ContentTypeBinary, Data: []byte("0@" + stream)}
		if _, err := admin.AppendToStream(deadline(t), links, revision(-2), link); err != nil {
			t.Fatal(err)
		}
	}
	for login, want := range map[string]string{"admin": "ab", "ben": "ab", "ann": "a-"} {
		r, err := s.as(login).ReadStream(deadline(t), links, esdb.ReadStreamOptions{ResolveLinkTos: true}, 10)
		text := ""
		for _, e := range collect(t, r, err) {
			switch {
			case e.Link == nil:
				text += "?"
			case e.Event == nil:
				text += "-"
			default:
				text += letterOf(e)
			}
		}
		if text != want {
			t.Errorf("%s reads %q, want %q", login, text, want)
		}
	}
}

func TestAccountsThroughAConnection(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	log, err := remote.Open(s.connectionString("admin:" + adminPassword))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	accounts, ctx := auth.NewAccounts(log), deadline(t)
	if err := accounts.Add(ctx, auth.Account{Login: "new", Groups: []string{"g"}}, userPassword); err != nil {
		t.Fatal(err)
	}
	if err := accounts.Add(ctx, auth.Account{Login: "new"}, userPassword); !errors.Is(err, auth.ErrAccountExists) {
		t.Errorf("error = %v", err)
	}
	c := s.as("new")
	mustAppend(t, c, "s", "a")
	if err := accounts.SetDisabled(ctx, "new", true); err != nil {
		t.Fatal(err)
	}
	if err := streamCalls["append"](ctx, c, "s"); code(err) != esdb.ErrorCodeUnauthenticated {
		t.Errorf("error = %v", err)
	}
	if list, err := accounts.List(ctx); err != nil || len(list) != 5 || list[3].Login != "new" || !list[3].Disabled {
		t.Errorf("accounts %v, %v", list, err)
	}
	other, err := remote.Open(s.connectionString("ann:" + userPassword))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	if err := auth.NewAccounts(other).SetDisabled(ctx, "admin", true); code(err) != esdb.ErrorCodeAccessDenied {
		t.Errorf("somebody disabled the administrator: %v", err)
	}
	if err := auth.NewAccounts(other).SetPassword(ctx, "ann", "another-password"); code(err) != esdb.ErrorCodeAccessDenied {
		t.Errorf("somebody wrote an account: %v", err)
	}
}

func TestWithoutTLSEverybodyMayDoEverything(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	c := connect(t, address(t))
	stream := unique("$insecure")
	e := esdb.EventData{EventType: "$metadata", ContentType: esdb.ContentTypeJson, Data: []byte(`{"$acl":{"$r":"ben","$w":"ben","$d":"ben","$mr":"ben","$mw":"ben"}}`)}
	mustAppend(t, c, stream, "a")
	if _, err := c.AppendToStream(deadline(t), "$$"+stream, revision(-2), e); err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"append", "read", "subscribe", "read metadata", "write metadata", "delete", "tombstone"} {
		if err := streamCalls[call](deadline(t), c, stream); err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
	for name, call := range allCalls {
		if err := call(deadline(t), c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
