package auth

import (
	"slices"
	"strings"
)

// An Operation is what a caller asks for.
type Operation int

const (
	// Read is of a stream's events, once, followed, or through a persistent
	// subscription.
	Read Operation = iota
	// Write is an append.
	Write
	// Delete is for a while, or for ever.
	Delete
	// ManageSubscriptions makes, changes, deletes, replays or restarts
	// persistent subscriptions. The stream does not matter.
	ManageSubscriptions
	// ListSubscriptions asks how persistent subscriptions are. The stream does
	// not matter.
	ListSubscriptions
	// Observe asks how the node is. There is no stream.
	Observe
)

// AllStream is the name under which the whole log has rights.
const AllStream = "$all"

type action int

const (
	actRead action = iota
	actWrite
	actDelete
	actMetadataRead
	actMetadataWrite
)

// Logins that have their group's rights whatever group they are in.
const (
	loginAdmin = "admin"
	loginOps   = "ops"
)

// Authorise reports whether p, nil for a caller without credentials, may do op
// with stream: nil, [ErrDenied], or why the store could not be asked. It looks
// at p's account as it is now, so that the right of what runs for long can be
// asked for again.
func (a *Auth) Authorise(p *Principal, op Operation, stream string) error {
	if p == nil {
		return ErrDenied
	}
	if err := a.catchUp(); err != nil {
		return err
	}
	who, err := a.accountOf(p.login)
	if err != nil {
		return err
	}
	if who == nil || who.Disabled || who.Hash != p.hash {
		return ErrDenied
	}
	switch op {
	case ListSubscriptions, Observe:
		return nil
	case ManageSubscriptions:
		if who.admin() || who.ops() {
			return nil
		}
		return ErrDenied
	case Read, Write, Delete:
	}
	return a.authoriseStream(who, op, stream)
}

func (a *Auth) authoriseStream(who *account, op Operation, stream string) error {
	if stream == "" {
		stream = AllStream
	}
	if stream == AllStream && op != Read {
		return ErrDenied
	}
	act, of, ok := actOn(op, stream)
	if !ok {
		return ErrDenied
	}
	if who.admin() {
		return nil
	}
	roles, err := a.roles(act, of)
	if err != nil {
		return err
	}
	if slices.Contains(roles, RoleAll) || slices.ContainsFunc(roles, who.has) {
		return nil
	}
	return ErrDenied
}

// actOn makes reading and writing a metadata stream acts on the stream it
// describes. It cannot be deleted by itself.
func actOn(op Operation, stream string) (act action, of string, ok bool) {
	of, metadata := strings.CutPrefix(stream, metadataPrefix)
	switch {
	case op == Read && metadata:
		return actMetadataRead, of, true
	case op == Read:
		return actRead, stream, true
	case op == Write && metadata:
		return actMetadataWrite, of, true
	case op == Write:
		return actWrite, stream, true
	}
	return actDelete, stream, !metadata
}

// roles are those of the stream, or else of the settings, or else the built-in
// ones.
func (a *Auth) roles(act action, stream string) ([]string, error) {
	own, err := a.aclOfStream(stream)
	if err != nil {
		return nil, err
	}
	if roles := own.roles(act); roles != nil {
		return roles, nil
	}
	s, err := a.currentSettings()
	if err != nil {
		return nil, err
	}
	if roles := s.of(stream).roles(act); roles != nil {
		return roles, nil
	}
	return builtIn(stream).roles(act), nil
}
