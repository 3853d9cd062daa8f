package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/node/auth"
)

// nodeUserCommand changes the accounts of a running node through an ordinary
// connection, which an administrator has, and those of a stopped one in its
// files, for who has lost that.
type nodeUserCommand struct {
	Add     userAddCommand     `cmd:"" help:"Make an account."`
	Passwd  userPasswdCommand  `cmd:"" help:"Set an account's password; what runs with the old one ends."`
	Disable userDisableCommand `cmd:"" help:"Take an account out of use; what runs with it ends."`
	Enable  userEnableCommand  `cmd:"" help:"Take an account into use again."`
	List    userListCommand    `cmd:"" help:"List the accounts."`
}

// Help implements [kong.HelpProvider].
func (nodeUserCommand) Help() string {
	return "With --eventstore esdb://admin:PASSWORD@HOST:2113 the accounts are those of the node that runs there; " +
		"without it, those of the node in the data folder, which must be stopped."
}

// password is how a command is told one.
type password struct {
	Password string `name:"password" env:"WAYBILL_NODE_USER_PASSWORD" help:"The password, at least 8 characters; empty makes a random one and prints it. The environment is the better place for it."`
}

// orMade returns the password and what to tell of it.
func (p password) orMade() (text, told string) {
	if p.Password != "" {
		return p.Password, ""
	}
	text = auth.NewPassword()
	return text, "   password " + text + "   (shown this once)"
}

type userAddCommand struct {
	password

	Login    string   `arg:"" help:"The name to log in with."`
	Group    []string `name:"group" help:"A group the account is in, such as $$admins or $$ops; may be given several times."`
	FullName string   `name:"full-name" help:"Whose account it is."`
}

// Run makes an account.
func (c userAddCommand) Run(inv *invocation) error {
	return withAccounts(inv, func(ctx context.Context, accounts *auth.Accounts) error {
		text, told := c.orMade()
		who := auth.Account{Login: c.Login, FullName: c.FullName, Groups: c.Group}
		if err := accounts.Add(ctx, who, text); err != nil {
			return err
		}
		fmt.Fprintf(inv.out, "account    %s%s\n", c.Login, told)
		return nil
	})
}

type userPasswdCommand struct {
	password

	Login string `arg:"" help:"Whose password."`
}

// Run sets a password.
func (c userPasswdCommand) Run(inv *invocation) error {
	return withAccounts(inv, func(ctx context.Context, accounts *auth.Accounts) error {
		text, told := c.orMade()
		if err := accounts.SetPassword(ctx, c.Login, text); err != nil {
			return err
		}
		fmt.Fprintf(inv.out, "account    %s%s\n", c.Login, told)
		return nil
	})
}

type userDisableCommand struct {
	Login string `arg:"" help:"Which account."`
}

// Run disables an account.
func (c userDisableCommand) Run(inv *invocation) error { return setDisabled(inv, c.Login, true) }

type userEnableCommand struct {
	Login string `arg:"" help:"Which account."`
}

// Run enables an account.
func (c userEnableCommand) Run(inv *invocation) error { return setDisabled(inv, c.Login, false) }

func setDisabled(inv *invocation, login string, disabled bool) error {
	return withAccounts(inv, func(ctx context.Context, accounts *auth.Accounts) error {
		return accounts.SetDisabled(ctx, login, disabled)
	})
}

type userListCommand struct{}

// Run lists the accounts.
func (userListCommand) Run(inv *invocation) error {
	return withAccounts(inv, func(ctx context.Context, accounts *auth.Accounts) error {
		list, err := accounts.List(ctx)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			_, err := fmt.Fprintln(inv.errOut, "there are no accounts: the first start with --tls-cert makes admin and ops")
			return err
		}
		t := tabwriter.NewWriter(inv.out, 0, 4, 2, ' ', 0)
		for _, a := range list {
			state := "enabled"
			if a.Disabled {
				state = "disabled"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", a.Login, state, strings.Join(a.Groups, ","), a.FullName)
		}
		return t.Flush()
	})
}

func withAccounts(inv *invocation, do func(context.Context, *auth.Accounts) error) error {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(inv.ctx, patience)
	defer cancel()
	accounts, closeLog, err := app.OpenAccounts(inv.config, inv.logger)
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, accounts), closeLog())
}
