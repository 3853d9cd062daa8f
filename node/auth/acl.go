package auth

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/waybill-dev/waybill/node"
)

// Roles with a meaning of their own. A role in a list of rights is one of them,
// the name of another group, or a login.
const (
	RoleAll    = "$all"
	RoleAdmins = "$admins"
	RoleOps    = "$ops"
)

// acl is who may do what with a stream. A nil list says nothing, and leaves it
// to the defaults; an empty one lets nobody in but administrators.
type acl struct {
	read, write, remove, metadataRead, metadataWrite []string
}

func (l *acl) roles(act action) []string {
	if l == nil {
		return nil
	}
	switch act {
	case actRead:
		return l.read
	case actWrite:
		return l.write
	case actDelete:
		return l.remove
	case actMetadataRead:
		return l.metadataRead
	case actMetadataWrite:
		return l.metadataWrite
	}
	return nil
}

func aclOf(roles ...string) *acl {
	return &acl{read: roles, write: roles, remove: roles, metadataRead: roles, metadataWrite: roles}
}

var errACL = errors.New("not an access control list")

// parseMetadata returns the list in a stream's metadata: nil when it has none.
func parseMetadata(data []byte) (*acl, error) {
	if !node.MetadataCounts(data) {
		return nil, errACL
	}
	fields, err := decodeObject(data)
	if err != nil {
		return nil, err
	}
	value, ok := fields["$acl"]
	if !ok {
		return nil, nil
	}
	return parseACL(value)
}

func parseACL(value json.RawMessage) (*acl, error) {
	fields, err := decodeObject(value)
	if err != nil {
		return nil, err
	}
	l := &acl{}
	for name, value := range fields {
		var roles []string
		if roles, err = parseRoles(value); err != nil {
			return nil, err
		}
		switch name {
		case "$r":
			l.read = roles
		case "$w":
			l.write = roles
		case "$d":
			l.remove = roles
		case "$mr":
			l.metadataRead = roles
		case "$mw":
			l.metadataWrite = roles
		default:
			return nil, errACL
		}
	}
	return l, nil
}

// parseRoles accepts one role and a list of roles.
func parseRoles(value json.RawMessage) ([]string, error) {
	var one *string
	if err := json.Unmarshal(value, &one); err == nil && one != nil {
		return []string{*one}, nil
	}
	var several []*string
	if err := json.Unmarshal(value, &several); err != nil || several == nil {
		return nil, errACL
	}
	roles := make([]string, len(several))
	for i, role := range several {
		if role == nil {
			return nil, errACL
		}
		roles[i] = *role
	}
	return roles, nil
}

func decodeObject(data []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&fields); err != nil {
		return nil, err
	}
	if fields == nil {
		return nil, errACL
	}
	return fields, nil
}
