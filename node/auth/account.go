package auth

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/waybill-dev/waybill/node"
)

// The types of events in an account's stream, and in the list of accounts.
const (
	typeCreated = "$UserCreated"
	typeUpdated = "$UserUpdated"
	typeListed  = "$User"

	accountsStream = "$users"
)

// account is the last event of `$user-{login}`, which says all there is to say.
type account struct {
	Login    string   `json:"loginName"`
	FullName string   `json:"fullName"`
	Salt     string   `json:"salt"` // empty: it is part of the hash
	Hash     string   `json:"hash"`
	Disabled bool     `json:"disabled"`
	Groups   []string `json:"groups"`

	position uint64 // of the event; never that of another state of the account
}

func (a *account) admin() bool { return a.Login == loginAdmin || slices.Contains(a.Groups, RoleAdmins) }
func (a *account) ops() bool   { return a.Login == loginOps || slices.Contains(a.Groups, RoleOps) }

func (a *account) has(role string) bool { return role == a.Login || slices.Contains(a.Groups, role) }

var errAccount = errors.New("the event is of another account")

// decodeAccount wants the account to be of the login whose stream it was in.
func decodeAccount(login string, data []byte) (*account, error) {
	a := &account{}
	if err := json.Unmarshal(data, a); err != nil {
		return nil, err
	}
	if a.Login != login {
		return nil, errAccount
	}
	return a, nil
}

func (a *account) encode() ([]byte, error) { return json.Marshal(a) }

// accountOf returns nil for a login that has no account, or none that can be
// understood.
func (a *Auth) accountOf(login string) (*account, error) {
	if who, ok := a.accounts.Get(login); ok {
		return who, nil
	}
	if validLogin(login) != nil {
		return nil, nil
	}
	version := a.version.Load()
	r, err := a.last(accountPrefix + login)
	if err != nil {
		return nil, err
	}
	var who *account
	if r != nil {
		if who, err = decodeAccount(login, r.Data); err != nil {
			a.logger.Error("an account is not understood; nobody can use it", "stream", r.Stream, "revision", r.Revision, "cause", err)
			who = nil
		} else {
			who.position = r.Position
		}
	}
	a.keep(version, func() { a.accounts.Add(login, who) })
	return who, nil
}

const maxLogin = 128 // bytes

// validLogin reports why there can be no account of that name.
func validLogin(login string) error {
	if login == "" || len(login) > maxLogin {
		return &node.InvalidError{Reason: "a login has 1 to 128 bytes"}
	}
	if strings.HasPrefix(login, "$") || strings.ContainsRune(login, ':') || strings.ContainsFunc(login, unicode.IsSpace) {
		return &node.InvalidError{Reason: "a login does not begin with $, and has neither : nor spaces"}
	}
	return node.ValidStream(accountPrefix + login)
}
