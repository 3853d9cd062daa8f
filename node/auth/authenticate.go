package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/node"
)

// A Principal is a caller whose password was right.
type Principal struct {
	login string
	hash  string // which password that was
}

// Login is the name of the account.
func (p *Principal) Login() string { return p.login }

// fingerprint stands for credentials, so that none are kept in memory.
type fingerprint [sha256.Size]byte

const fingerprintKeySize = sha256.Size

func (a *Auth) fingerprint(header string) (f fingerprint) {
	mac := hmac.New(sha256.New, a.key)
	_, _ = mac.Write([]byte(header)) // never fails
	mac.Sum(f[:0])
	return f
}

// verdict is what was found out about credentials, for the account as it was at
// position, 0 for none.
type verdict struct{ position uint64 }

const maxHeader = 1024 // bytes

// Authenticate finds out who sent an authorization header: nobody, when there
// are no basic credentials in it. The error is [ErrUnauthenticated],
// [node.ErrBusy] when too many passwords wait to be checked, or why the store
// could not be asked. from is where the call came from: one place cannot keep
// the others from logging in.
func (a *Auth) Authenticate(ctx context.Context, from, header string) (*Principal, error) {
	login, password, basic, ok := parseHeader(header)
	if !basic {
		return nil, nil
	}
	if !ok {
		return nil, ErrUnauthenticated
	}
	if err := a.catchUp(); err != nil {
		return nil, err
	}
	who, err := a.accountOf(login)
	if err != nil {
		return nil, err
	}
	f := a.fingerprint(header)
	right, known := a.recall(f, who)
	if !known {
		if right, err = a.check(ctx, from, f, who, password); err != nil {
			return nil, err
		}
		if !right {
			a.logger.WarnContext(ctx, "a login was refused", "login", login, "from", from)
		}
	}
	if !right {
		return nil, ErrUnauthenticated
	}
	return &Principal{login: login, hash: who.Hash}, nil
}

// recall knows credentials that were checked against the account as it is.
func (a *Auth) recall(f fingerprint, who *account) (right, known bool) {
	if v, ok := a.verified.Get(f); ok && v.position == who.at() {
		return true, true
	}
	v, ok := a.refused.Get(f)
	return false, ok && v.position == who.at()
}

func (a *account) at() uint64 {
	if a == nil {
		return 0
	}
	return a.position
}

// check computes the hash, once for all who ask the same at the same time: a
// client often begins with many calls at once.
func (a *Auth) check(ctx context.Context, from string, f fingerprint, who *account, password string) (bool, error) {
	key := string(f[:]) + strconv.FormatUint(who.at(), 10)
	result := a.checks.DoChan(key, func() (any, error) {
		if !a.turnstile.enter(from) {
			return false, node.ErrBusy
		}
		defer a.turnstile.leave(from)
		right, known := a.recall(f, who)
		if known {
			return right, nil
		}
		if right = matches(who, password); right {
			a.verified.Add(f, verdict{who.at()})
			return true, nil
		}
		a.refused.Add(f, verdict{who.at()})
		return false, nil
	})
	select {
	case r := <-result:
		right, _ := r.Val.(bool)
		return right, r.Err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// parseHeader reads an authorization header. basic is false for another scheme
// or none, ok is false for one that is not what it should be.
func parseHeader(header string) (login, password string, basic, ok bool) {
	scheme, credentials, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "basic") {
		return "", "", false, false
	}
	if len(header) > maxHeader {
		return "", "", true, false
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(credentials))
	if err != nil {
		return "", "", true, false
	}
	login, password, ok = strings.Cut(string(plain), ":")
	return login, password, true, ok
}
