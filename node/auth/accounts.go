package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

var (
	// ErrNoAccount is for a login that has no account.
	ErrNoAccount = errors.New("there is no such account")
	// ErrAccountExists is for a new account that is an old one.
	ErrAccountExists = errors.New("the account exists already")
)

// Accounts changes the accounts in a log. Two who change the same account at
// the same time do not undo each other's work: one of them gets an error.
type Accounts struct{ log Log }

// NewAccounts returns the accounts in log.
func NewAccounts(log Log) *Accounts { return &Accounts{log} }

// An Account is what may be known of one.
type Account struct {
	Login    string
	FullName string
	Groups   []string
	Disabled bool
}

// Add makes an account.
func (s *Accounts) Add(ctx context.Context, who Account, password string) error {
	if err := errors.Join(validLogin(who.Login), validPassword(password), validGroups(who.Groups)); err != nil {
		return err
	}
	data, _, err := s.log.Last(ctx, accountPrefix+who.Login)
	if err != nil {
		return fmt.Errorf("look up %s: %w", who.Login, err)
	}
	if data != nil {
		return fmt.Errorf("%s: %w", who.Login, ErrAccountExists)
	}
	return s.make(ctx, who, password)
}

// make lists the account before there is one: what was interrupted can be done
// again. Until its stream has an access control list, that of system streams
// protects it.
func (s *Accounts) make(ctx context.Context, who Account, password string) error {
	if err := s.enlist(ctx, who.Login); err != nil {
		return fmt.Errorf("list the account %s: %w", who.Login, err)
	}
	a := &account{Login: who.Login, FullName: who.FullName, Groups: groups(who.Groups), Hash: newHash(password), Disabled: who.Disabled}
	data, err := a.encode()
	if err != nil {
		return err
	}
	stream := accountPrefix + who.Login
	// A stream that was deleted counts as none.
	if err := s.log.Append(ctx, stream, node.ExpectNoStream, event(typeCreated, data, true)); err != nil {
		return fmt.Errorf("write the account %s: %w", who.Login, err)
	}
	const protected = `{"$acl":{"$w":"$admins","$d":"$admins","$mw":"$admins"}}`
	err = s.log.Append(ctx, node.MetadataStream(stream), node.ExpectAny, event(node.TypeMetadata, []byte(protected), true))
	if err != nil {
		return fmt.Errorf("protect the account %s: %w", who.Login, err)
	}
	return nil
}

func (s *Accounts) enlist(ctx context.Context, login string) error {
	listed, err := s.logins(ctx)
	if err != nil || slices.Contains(listed, login) {
		return err
	}
	return s.log.Append(ctx, accountsStream, node.ExpectAny, event(typeListed, []byte(login), false))
}

func (s *Accounts) logins(ctx context.Context) ([]string, error) {
	all, err := s.log.All(ctx, accountsStream)
	if err != nil {
		return nil, err
	}
	logins := make([]string, len(all))
	for i, data := range all {
		logins[i] = string(data)
	}
	slices.Sort(logins)
	return slices.Compact(logins), nil
}

// SetPassword changes the password. What runs with the old one is ended.
func (s *Accounts) SetPassword(ctx context.Context, login, password string) error {
	if err := validPassword(password); err != nil {
		return err
	}
	hash := newHash(password)
	return s.update(ctx, login, func(a *account) bool {
		a.Hash, a.Salt = hash, ""
		return true
	})
}

// SetDisabled takes the account out of use, or into it again. What runs with a
// disabled account is ended.
func (s *Accounts) SetDisabled(ctx context.Context, login string, disabled bool) error {
	return s.update(ctx, login, func(a *account) bool {
		changed := a.Disabled != disabled
		a.Disabled = disabled
		return changed
	})
}

func (s *Accounts) update(ctx context.Context, login string, change func(*account) (changed bool)) error {
	if err := validLogin(login); err != nil {
		return err
	}
	data, revision, err := s.log.Last(ctx, accountPrefix+login)
	if err != nil {
		return fmt.Errorf("read the account %s: %w", login, err)
	}
	if data == nil {
		return fmt.Errorf("%s: %w", login, ErrNoAccount)
	}
	a, err := decodeAccount(login, data)
	if err != nil {
		return fmt.Errorf("read the account %s: %w", login, err)
	}
	if !change(a) {
		return nil
	}
	if data, err = a.encode(); err != nil {
		return err
	}
	if err := s.log.Append(ctx, accountPrefix+login, node.Expected(revision), event(typeUpdated, data, true)); err != nil {
		return fmt.Errorf("write the account %s: %w", login, err)
	}
	return nil
}

// List returns all accounts, by login.
func (s *Accounts) List(ctx context.Context) ([]Account, error) {
	logins, err := s.logins(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the list of accounts: %w", err)
	}
	var list []Account
	for _, login := range logins {
		data, _, err := s.log.Last(ctx, accountPrefix+login)
		if err != nil {
			return nil, fmt.Errorf("read the account %s: %w", login, err)
		}
		if data == nil {
			continue // deleted
		}
		a, err := decodeAccount(login, data)
		if err != nil {
			return nil, fmt.Errorf("read the account %s: %w", login, err)
		}
		list = append(list, Account{Login: a.Login, FullName: a.FullName, Groups: a.Groups, Disabled: a.Disabled})
	}
	return list, nil
}

func event(typ string, data []byte, json bool) node.Event {
	return node.Event{ID: uuid.New(), Type: typ, JSON: json, Data: data}
}

func groups(of []string) []string {
	if of == nil {
		return []string{} // EventStoreDB writes a list
	}
	return of
}

// minPassword is what the original's own default has.
const (
	minPassword = 8
	maxPassword = 256
)

func validPassword(password string) error {
	if len(password) < minPassword || len(password) > maxPassword || !utf8.ValidString(password) {
		return &node.InvalidError{Reason: fmt.Sprintf("a password has %d to %d bytes of UTF-8", minPassword, maxPassword)}
	}
	return nil
}

func validGroups(list []string) error {
	for _, group := range list {
		if group == "" || group == RoleAll || !utf8.ValidString(group) {
			return &node.InvalidError{Reason: fmt.Sprintf("%q is not the name of a group", group)}
		}
	}
	return nil
}
