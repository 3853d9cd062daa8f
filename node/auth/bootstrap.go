package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/node"
)

// Credentials are what a caller needs.
type Credentials struct{ Login, Password string }

// NewPassword returns one that nobody guesses.
func NewPassword() string { return rand.Text() }

// bootstrap makes the accounts that EventStoreDB makes, where there never were
// any. It returns the random passwords it made.
func bootstrap(ctx context.Context, n *node.Node, cfg Config) ([]Credentials, error) {
	var made []Credentials
	for _, first := range []struct{ login, name, group, password string }{
		{loginAdmin, "Administrator", RoleAdmins, cfg.AdminPassword},
		{loginOps, "Operations", RoleOps, cfg.OpsPassword},
	} {
		written, err := everWritten(n, accountPrefix+first.login)
		if err != nil {
			return nil, fmt.Errorf("look up %s: %w", first.login, err)
		}
		if written {
			continue
		}
		if first.password == "" {
			first.password = NewPassword()
			made = append(made, Credentials{first.login, first.password})
		}
		who := Account{Login: first.login, FullName: first.name, Groups: []string{first.group}}
		if err := NewAccounts(OfNode(n)).Add(ctx, who, first.password); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// everWritten is true for a deleted stream, too: whoever deleted an account did
// not want it back.
func everWritten(n *node.Node, stream string) (bool, error) {
	info, err := n.Info(stream)
	if deleted := (*node.StreamDeletedError)(nil); errors.As(err, &deleted) {
		return true, nil
	}
	return info.Last >= 0, err
}
