package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/auth"
)

func TestHeadersOfAllKinds(t *testing.T) {
	t.Parallel()
	_, a := open(t, "ann")
	for name, row := range map[string]struct {
		header string
		login  string
		err    error
	}{
		"right":                        {basic("ann", userPassword), "ann", nil},
		"a scheme in lower case":       {strings.Replace(basic("ann", userPassword), "Basic", "basic", 1), "ann", nil},
		"none":                         {"", "", nil},
		"another scheme":               {"Bearer abc", "", nil},
		"a wrong password":             {basic("ann", "wrong"), "", auth.ErrUnauthenticated},
		"an empty password":            {basic("ann", ""), "", auth.ErrUnauthenticated},
		"a password with more":         {basic("ann", userPassword+"x"), "", auth.ErrUnauthenticated},
		"an unknown login":             {basic("nobody", userPassword), "", auth.ErrUnauthenticated},
		"an empty login":               {basic("", userPassword), "", auth.ErrUnauthenticated},
		"a login that cannot be":       {basic("a\x00b", userPassword), "", auth.ErrUnauthenticated},
		"a login of a stream":          {basic("$admins", userPassword), "", auth.ErrUnauthenticated},
		"no colon":                     {"Basic YW5u", "", auth.ErrUnauthenticated},
		"not base64":                   {"Basic ***", "", auth.ErrUnauthenticated},
		"nothing behind the scheme":    {"Basic", "", auth.ErrUnauthenticated},
		"much too long":                {basic("ann", strings.Repeat("x", 2000)), "", auth.ErrUnauthenticated},
		"too long for a login":         {basic(strings.Repeat("x", 200), "x"), "", auth.ErrUnauthenticated},
		"the name in another spelling": {basic("ANN", userPassword), "", auth.ErrUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // the second time from memory
				p, err := a.Authenticate(deadline(t), "test", row.header)
				if !errors.Is(err, row.err) || (err == nil && row.err != nil) {
					t.Fatalf("error = %v, want %v", err, row.err)
				}
				got := ""
				if p != nil {
					got = p.Login()
				}
				if got != row.login {
					t.Errorf("login = %q, want %q", got, row.login)
				}
			}
		})
	}
}

func TestNoVerdictOutlivesAChangeOfTheAccount(t *testing.T) {
	t.Parallel()
	n, a := open(t, "ann")
	accounts := auth.NewAccounts(auth.OfNode(n))
	ctx := deadline(t)
	refused := func(password string) bool {
		_, err := a.Authenticate(ctx, "test", basic("ann", password))
		if err != nil && !errors.Is(err, auth.ErrUnauthenticated) {
			t.Fatal(err)
		}
		return err != nil
	}
	const second = "the-second-password"
	ann := user(t, a, "ann")
	if !refused(second) {
		t.Fatal("a password that is not yet")
	}
	if err := accounts.SetPassword(ctx, "ann", second); err != nil {
		t.Fatal(err)
	}
	if !refused(userPassword) || refused(second) {
		t.Fatal("the old password still counts, or the new one does not")
	}
	if allowed(t, a, ann, auth.Read, "s") {
		t.Error("what logged in with the old password goes on")
	}
	ann = login(t, a, "ann", second)
	for range 3 {
		if err := accounts.SetDisabled(ctx, "ann", true); err != nil {
			t.Fatal(err)
		}
		if !refused(second) || allowed(t, a, ann, auth.Read, "s") {
			t.Fatal("a disabled account goes on")
		}
		if err := accounts.SetDisabled(ctx, "ann", false); err != nil {
			t.Fatal(err)
		}
		if refused(second) || !allowed(t, a, ann, auth.Read, "s") {
			t.Fatal("an account that is enabled again is refused")
		}
	}
	if _, err := n.Delete(ctx, "$user-ann", node.ExpectAny); err != nil {
		t.Fatal(err)
	}
	if !refused(second) || allowed(t, a, ann, auth.Read, "s") {
		t.Fatal("a deleted account goes on")
	}
	add(t, n, auth.Account{Login: "ann"})
	if !refused(second) || refused(userPassword) || allowed(t, a, ann, auth.Read, "s") {
		t.Fatal("an account of the same name is taken for the deleted one")
	}
	if _, err := n.Tombstone(ctx, "$user-ann", node.ExpectAny); err != nil {
		t.Fatal(err)
	}
	if !refused(userPassword) {
		t.Fatal("an account that is deleted for ever goes on")
	}
}

func TestAChangedGroupCountsForWhatRuns(t *testing.T) {
	t.Parallel()
	n, a := open(t, "ann")
	ann := user(t, a, "ann")
	writeACL(t, n, "s", `{"$r":"g-ann"}`)
	if !allowed(t, a, ann, auth.Read, "s") {
		t.Fatal("refused")
	}
	data, revision, err := auth.OfNode(n).Last(deadline(t), "$user-ann")
	if err != nil || revision != 0 {
		t.Fatal(revision, err)
	}
	write(t, n, "$user-ann", strings.Replace(string(data), `"g-ann"`, `"other"`, 1))
	if allowed(t, a, ann, auth.Read, "s") {
		t.Error("allowed by a group the account has left")
	}
}

func TestAnAccountThatCannotBeUnderstoodLetsNobodyIn(t *testing.T) {
	t.Parallel()
	n, a := open(t, "ann")
	data, _, err := auth.OfNode(n).Last(deadline(t), "$user-ann")
	if err != nil {
		t.Fatal(err)
	}
	whole := string(data)
	for name, data := range map[string]string{
		"no JSON":          `{`,
		"another login":    strings.Replace(whole, `"ann"`, `"admin"`, 1),
		"no hash":          `{"loginName":"ann"}`,
		"a costly hash":    strings.Replace(whole, "m=19456", "m=4194304", 1),
		"an endless hash":  strings.Replace(whole, "t=2", "t=4000000000", 1),
		"another version":  strings.Replace(whole, "v=19", "v=16", 1),
		"another function": strings.Replace(whole, "argon2id", "argon2i", 1),
	} {
		if data == whole {
			t.Fatalf("%s: nothing was changed in %s", name, whole)
		}
		write(t, n, "$user-ann", data)
		if _, err := a.Authenticate(deadline(t), "test", basic("ann", userPassword)); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("%s: error = %v", name, err)
		}
	}
	write(t, n, "$user-ann", whole)
	user(t, a, "ann")
}

// A thousand wrong passwords at once find a short queue, and whoever is known
// already does not stand in it.
func TestWrongPasswordsCannotEatTheMachine(t *testing.T) {
	t.Parallel()
	_, a := open(t, "ann")
	user(t, a, "ann")
	ctx, cancel := context.WithCancel(deadline(t))
	var tries sync.WaitGroup
	var mu sync.Mutex
	counts := map[string]int{}
	for i := range 1000 {
		tries.Go(func() {
			_, err := a.Authenticate(ctx, "elsewhere", basic("ann", fmt.Sprint("wrong", i)))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, node.ErrBusy):
				counts["busy"]++
			case errors.Is(err, auth.ErrUnauthenticated), errors.Is(err, context.Canceled):
				counts["refused"]++
			default:
				counts[fmt.Sprint(err)]++
			}
		})
	}
	user(t, a, "ann")
	// From elsewhere, there is room for a password that is not known yet.
	if _, err := a.Authenticate(ctx, "here", basic("ann", "also wrong")); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("error = %v", err)
	}
	cancel()
	tries.Wait()
	if counts["busy"] == 0 || counts["busy"]+counts["refused"] != 1000 {
		t.Errorf("outcomes: %v", counts)
	}
}

func TestTheSameCredentialsManyTimesAtOnceAreCheckedOnce(t *testing.T) {
	t.Parallel()
	_, a := open(t, "ann")
	var calls sync.WaitGroup
	for range 500 {
		calls.Go(func() {
			if _, err := a.Authenticate(deadline(t), "test", basic("ann", userPassword)); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
}

func TestTheFirstStartMakesAccountsAndLaterOnesKeepThem(t *testing.T) {
	t.Parallel()
	n := openNode(t, node.Config{})
	first := openAuth(t, n, auth.Config{OpsPassword: opsPassword})
	made := first.Made()
	if len(made) != 1 || made[0].Login != "admin" || len(made[0].Password) < 20 {
		t.Fatalf("made %v", made)
	}
	login(t, first, "admin", made[0].Password)
	login(t, first, "ops", opsPassword)
	if err := auth.NewAccounts(auth.OfNode(n)).SetDisabled(deadline(t), "admin", true); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Delete(deadline(t), "$user-ops", node.ExpectAny); err != nil {
		t.Fatal(err)
	}
	second := openAuth(t, n, auth.Config{AdminPassword: "another-password", OpsPassword: "another-password"})
	if len(second.Made()) != 0 {
		t.Errorf("made %v again", second.Made())
	}
	for _, header := range []string{basic("admin", "another-password"), basic("admin", made[0].Password), basic("ops", "another-password")} {
		if _, err := second.Authenticate(deadline(t), "test", header); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("error = %v", err)
		}
	}
	if _, err := n.Tombstone(deadline(t), "$user-ops", node.ExpectAny); err != nil {
		t.Fatal(err)
	}
	if made := openAuth(t, n, auth.Config{}).Made(); len(made) != 0 {
		t.Errorf("made %v", made)
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	n, a := open(t)
	accounts, ctx := auth.NewAccounts(auth.OfNode(n)), deadline(t)
	add(t, n, auth.Account{Login: "zoë", FullName: "Zoë", Groups: []string{"a", "b"}})
	user(t, a, "zoë")
	list, err := accounts.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := []auth.Account{
		{Login: "admin", FullName: "Administrator", Groups: []string{"$admins"}},
		{Login: "ops", FullName: "Operations", Groups: []string{"$ops"}},
		{Login: "zoë", FullName: "Zoë", Groups: []string{"a", "b"}},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	if err := accounts.Add(ctx, auth.Account{Login: "zoë"}, userPassword); !errors.Is(err, auth.ErrAccountExists) {
		t.Errorf("error = %v", err)
	}
	if err := accounts.SetPassword(ctx, "who", userPassword); !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("error = %v", err)
	}
	invalid := (*node.InvalidError)(nil)
	for _, login := range []string{"", "$admins", "a:b", "a b", "a\nb", strings.Repeat("x", 129)} {
		if err := accounts.Add(ctx, auth.Account{Login: login}, userPassword); !errors.As(err, &invalid) {
			t.Errorf("login %q: error = %v", login, err)
		}
	}
	for _, password := range []string{"", "short", strings.Repeat("x", 257), "not-utf8\xff"} {
		if err := accounts.SetPassword(ctx, "zoë", password); !errors.As(err, &invalid) {
			t.Errorf("password %q: error = %v", password, err)
		}
	}
	if err := accounts.Add(ctx, auth.Account{Login: "x", Groups: []string{"$all"}}, userPassword); !errors.As(err, &invalid) {
		t.Errorf("error = %v", err)
	}
}

// Whoever opens the streams of the system must not open the accounts with them.
func TestAccountsAreProtectedByThemselves(t *testing.T) {
	t.Parallel()
	n, a := open(t, "ann")
	write(t, n, "$settings", `{"$systemStreamAcl":{"$r":"$all","$w":"$all","$d":"$all","$mr":"$all","$mw":"$all"}}`)
	ann := user(t, a, "ann")
	for _, op := range []auth.Operation{auth.Write, auth.Delete} {
		if allowed(t, a, ann, op, "$user-admin") {
			t.Errorf("operation %d on an account is allowed", op)
		}
	}
	if allowed(t, a, ann, auth.Write, "$$$user-admin") {
		t.Error("writing the metadata of an account is allowed")
	}
}

func TestAClosedStoreRefuses(t *testing.T) {
	t.Parallel()
	n, a := open(t, "ann")
	ann := user(t, a, "ann")
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Authorise(ann, auth.Read, "a stream that is not remembered"); !errors.Is(err, node.ErrClosed) {
		t.Errorf("error = %v", err)
	}
	if _, err := a.Authenticate(deadline(t), "test", basic("who", "what-ever")); !errors.Is(err, node.ErrClosed) {
		t.Errorf("error = %v", err)
	}
}
