package auth_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/auth"
)

// An act is an operation on a stream s or on its metadata.
type act struct {
	name     string
	op       auth.Operation
	metadata bool
}

var acts = []act{
	{"$r", auth.Read, false},
	{"$w", auth.Write, false},
	{"$d", auth.Delete, false},
	{"$mr", auth.Read, true},
	{"$mw", auth.Write, true},
}

func (x act) on(stream string) string {
	if x.metadata {
		return node.MetadataStream(stream)
	}
	return stream
}

func allowed(tb testing.TB, a *auth.Auth, p *auth.Principal, op auth.Operation, stream string) bool {
	tb.Helper()
	err := a.Authorise(p, op, stream)
	if err != nil && !errors.Is(err, auth.ErrDenied) {
		tb.Fatal(err)
	}
	return err == nil
}

func TestEachRightIsForItselfAndForTheRolesInItsList(t *testing.T) {
	t.Parallel()
	n, a := open(t, "ann", "ben")
	admin, ops := login(t, a, "admin", adminPassword), login(t, a, "ops", opsPassword)
	ann, ben := user(t, a, "ann"), user(t, a, "ben")
	for _, row := range []struct {
		roles         string
		ann, ben, ops bool
	}{
		{`"ann"`, true, false, false},
		{`["ann"]`, true, false, false},
		{`["ann","ben"]`, true, true, false},
		{`"g-ben"`, false, true, false},
		{`["g-ann","g-ben","$ops"]`, true, true, true},
		{`"$all"`, true, true, true},
		{`["nobody","$all"]`, true, true, true},
		{`"$admins"`, false, false, false},
		{`[]`, false, false, false},
		{`"an"`, false, false, false},
		{`"Ann"`, false, false, false},
	} {
		for _, given := range acts {
			for _, stream := range []string{"s-" + uuid.NewString(), "$s-" + uuid.NewString()} {
				writeACL(t, n, stream, fmt.Sprintf(`{"%s":%s}`, given.name, row.roles))
				for _, asked := range acts {
					// What the list does not say is the default of the stream's kind.
					rest := stream[0] != '$'
					for _, who := range []struct {
						name string
						p    *auth.Principal
						want bool
					}{{"admin", admin, true}, {"ops", ops, row.ops}, {"ann", ann, row.ann}, {"ben", ben, row.ben}} {
						want := who.want
						if asked != given && who.p != admin {
							want = rest
						}
						if got := allowed(t, a, who.p, asked.op, asked.on(stream)); got != want {
							t.Errorf("%s of %.2s with %s %s: %s may: %v, want %v", asked.name, stream, given.name, row.roles, who.name, got, want)
						}
					}
					if allowed(t, a, nil, asked.op, asked.on(stream)) {
						t.Errorf("%s of %.2s with %s %s: a caller without credentials may", asked.name, stream, given.name, row.roles)
					}
				}
			}
		}
	}
}

func TestDefaultRights(t *testing.T) {
	t.Parallel()
	_, a := open(t, "ann")
	admin, ops, ann := login(t, a, "admin", adminPassword), login(t, a, "ops", opsPassword), user(t, a, "ann")
	for _, row := range []struct {
		op              auth.Operation
		stream          string
		admin, ops, ann bool
	}{
		{auth.Read, "s", true, true, true},
		{auth.Write, "s", true, true, true},
		{auth.Delete, "s", true, true, true},
		{auth.Read, "$$s", true, true, true},
		{auth.Write, "$$s", true, true, true},
		{auth.Delete, "$$s", false, false, false},
		{auth.Read, "$s", true, false, false},
		{auth.Write, "$s", true, false, false},
		{auth.Delete, "$s", true, false, false},
		{auth.Read, "$$$s", true, false, false},
		{auth.Write, "$$$s", true, false, false},
		{auth.Read, "$all", true, false, false},
		{auth.Read, "", true, false, false},
		{auth.Write, "$all", false, false, false},
		{auth.Delete, "$all", false, false, false},
		{auth.Read, "$$$all", true, false, false},
		{auth.Write, "$$$all", true, false, false},
		{auth.Read, "$ce-order", true, true, true},
		{auth.Read, "$$$ce-order", true, true, true},
		{auth.Write, "$ce-order", true, false, false},
		{auth.Write, "$$$ce-order", true, false, false},
		{auth.Read, "$et-order.placed", true, true, true},
		{auth.Read, "$user-ann", true, false, false},
		{auth.Write, "$user-ann", true, false, false},
		{auth.Write, "$$$user-ann", true, false, false},
		{auth.Read, "$users", true, false, false},
		{auth.Write, "$settings", true, false, false},
		{auth.ManageSubscriptions, "s", true, true, false},
		{auth.ListSubscriptions, "s", true, true, true},
		{auth.Observe, "", true, true, true},
	} {
		for _, who := range []struct {
			name string
			p    *auth.Principal
			want bool
		}{{"admin", admin, row.admin}, {"ops", ops, row.ops}, {"ann", ann, row.ann}, {"nobody", nil, false}} {
			if got := allowed(t, a, who.p, row.op, row.stream); got != who.want {
				t.Errorf("operation %d on %q: %s may: %v, want %v", row.op, row.stream, who.name, got, who.want)
			}
		}
	}
}

func TestSettingsReplaceTheDefaultsOfStreamsThatSayNothing(t *testing.T) {
	t.Parallel()
	n, a := open(t, "ann", "ben")
	ann, ben := user(t, a, "ann"), user(t, a, "ben")
	writeACL(t, n, "own", `{"$r":"ben"}`)
	expect := func(when string, p *auth.Principal, op auth.Operation, stream string, want bool) {
		t.Helper()
		if got := allowed(t, a, p, op, stream); got != want {
			t.Errorf("%s: %s, operation %d on %s: %v, want %v", when, p.Login(), op, stream, got, want)
		}
	}
	write(t, n, "$settings", `{"$userStreamAcl":{"$r":"ann","$w":["ann"]},"$systemStreamAcl":{"$r":"ben"}}`)
	expect("settings", ann, auth.Read, "s", true)
	expect("settings", ben, auth.Read, "s", false)
	expect("settings", ben, auth.Write, "s", false)
	expect("not in the settings", ben, auth.Delete, "s", true)
	expect("settings", ben, auth.Read, "$s", true)
	expect("not in the settings", ben, auth.Write, "$s", false)
	expect("settings", ben, auth.Read, "$all", true)
	expect("the stream's own list", ben, auth.Read, "own", true)
	expect("the stream's own list", ann, auth.Read, "own", false)
	expect("the stream's own list leaves it to the settings", ben, auth.Write, "own", false)
	write(t, n, "$settings", `{"$userStreamAcl":"everybody"}`)
	expect("settings that are no settings", ben, auth.Read, "s", true)
	expect("settings that are no settings", ben, auth.Read, "$s", false)
	write(t, n, "$settings", `{"$userStreamAcl":{"$r":"ann"}}`)
	expect("half of the settings", ben, auth.Read, "s", false)
	expect("half of the settings", ben, auth.Read, "$s", false)
	if _, err := n.Delete(deadline(t), "$settings", node.ExpectAny); err != nil {
		t.Fatal(err)
	}
	expect("deleted settings", ben, auth.Read, "s", true)
}

func TestAChangedRightCountsForTheNextQuestion(t *testing.T) {
	t.Parallel()
	n, a := open(t, "ann")
	ann := user(t, a, "ann")
	for i := range 50 {
		if !allowed(t, a, ann, auth.Read, "s") {
			t.Fatalf("round %d: refused without a list", i)
		}
		writeACL(t, n, "s", `{"$r":"$admins"}`)
		if allowed(t, a, ann, auth.Read, "s") {
			t.Fatalf("round %d: allowed although the list says otherwise", i)
		}
		// Deleting a stream takes its metadata away.
		if i == 0 {
			write(t, n, "s", `{}`)
		}
		if _, err := n.Delete(deadline(t), "s", node.ExpectAny); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMetadataThatIsNotUnderstoodSaysNothing(t *testing.T) {
	t.Parallel()
	n, a := open(t, "ann")
	ann := user(t, a, "ann")
	for _, data := range []string{
		`{"$acl":"$systemStreamAcl"}`, `{"$acl":{"$r":1}}`, `{"$acl":{"$r":null}}`, `{"$acl":{"$r":[null]}}`,
		`{"$acl":{"$r":[]},"$maxCount":"3"}`, `{"$acl":{"$r":[]},"$maxAge":1.5}`, `{"$acl":{"$r":[]},"$tb":null}`, `{"$acl":{"$r":1},"$acl":{"$r":[]}}`,
		`{"$acl":{"$r":1,"$r":[]}}`, `{"$acl":{"$r":[]},"$acl":{"$r":"ann"}}`, `{"$acl":{"$r":[]}`,
		`{"$acl":null}`, `{"$acl":{"$x":"ann"}}`, `{"$acl":{}}`, `{`, `[]`, `null`, ` `,
	} {
		writeACL(t, n, "s", `{"$r":[]}`)
		if allowed(t, a, ann, auth.Read, "s") {
			t.Fatal("an empty list let somebody in")
		}
		write(t, n, "$$s", data)
		if !allowed(t, a, ann, auth.Read, "s") {
			t.Errorf("metadata %s: refused", data)
		}
	}
}

// TestAListInMetadataThatIsNoJSONSaysNothing: what an event is counts, not what
// its bytes look like.
func TestAListInMetadataThatIsNoJSONSaysNothing(t *testing.T) {
	t.Parallel()
	n, a := open(t, "ann")
	ann := user(t, a, "ann")
	for _, json := range []bool{false, true} {
		_, err := n.Append(deadline(t), node.Append{Stream: "$$s", Expected: node.ExpectAny, Events: []node.Event{
			{ID: uuid.New(), Type: node.TypeMetadata, JSON: json, Data: []byte(`{"$acl":{"$r":[]}}`)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if allowed(t, a, ann, auth.Read, "s") == json {
			t.Errorf("of metadata whose being JSON is %v the list of rights counts: %v", json, !json)
		}
	}
}

// What was remembered before the log ran away must not be believed after it.
func TestRightsAreReadAgainWhenTheLogHasRunAway(t *testing.T) {
	t.Parallel()
	n := openNode(t, node.Config{TailBytes: 1024})
	a := openAuth(t, n, auth.Config{AdminPassword: adminPassword, OpsPassword: opsPassword})
	add(t, n, auth.Account{Login: "ann"})
	ann := user(t, a, "ann")
	for range 20 {
		writeACL(t, n, "s", `{"$r":"ann"}`)
		if !allowed(t, a, ann, auth.Read, "s") {
			t.Fatal("refused")
		}
		events := make([]node.Event, 100)
		for i := range events {
			events[i] = node.Event{ID: uuid.New(), Type: "t", Data: make([]byte, 100)}
		}
		metadata := node.Append{Stream: "$$s", Expected: node.ExpectAny, Events: []node.Event{
			{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: []byte(`{"$acl":{"$r":[]}}`)},
		}}
		first, err := n.Begin(deadline(t), metadata)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Append(deadline(t), node.Append{Stream: "other", Expected: node.ExpectAny, Events: events}); err != nil {
			t.Fatal(err)
		}
		if _, err := first.Wait(deadline(t)); err != nil {
			t.Fatal(err)
		}
		if allowed(t, a, ann, auth.Read, "s") {
			t.Fatal("allowed although the list says otherwise")
		}
	}
}

func TestManyStreamsDoNotGrowTheMemory(t *testing.T) {
	t.Parallel()
	n := openNode(t, node.Config{})
	a := openAuth(t, n, auth.Config{AdminPassword: adminPassword, OpsPassword: opsPassword, Streams: 4, Logins: 2})
	add(t, n, auth.Account{Login: "ann"})
	ann := user(t, a, "ann")
	for i := range 20 {
		writeACL(t, n, fmt.Sprint("s", i), `{"$r":"ann","$w":[]}`)
	}
	for range 2 {
		for i := range 20 {
			if stream := fmt.Sprint("s", i); !allowed(t, a, ann, auth.Read, stream) || allowed(t, a, ann, auth.Write, stream) {
				t.Fatalf("wrong answer about %s", stream)
			}
		}
	}
}
