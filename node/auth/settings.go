package auth

import (
	"strings"

	"github.com/waybill-dev/waybill/node"
)

// settings are the defaults of streams that say nothing themselves.
type settings struct {
	user, system *acl // never nil
}

func defaults() *settings { return &settings{user: aclOf(RoleAll), system: aclOf(RoleAdmins)} }

// builtIn are the defaults of a stream below the settings.
func builtIn(stream string) *acl {
	if system(stream) {
		return aclOf(RoleAdmins)
	}
	return aclOf(RoleAll)
}

func (s *settings) of(stream string) *acl {
	if system(stream) {
		return s.system
	}
	return s.user
}

func system(stream string) bool { return strings.HasPrefix(stream, "$") }

// linked lists all streams of links that the node itself offers: everybody may
// read them, as he may in EventStoreDB, and what they point at is protected by
// its own stream.
func linked(stream string) *acl {
	if strings.HasPrefix(stream, "$ce-") || strings.HasPrefix(stream, "$et-") {
		return &acl{read: []string{RoleAll}, metadataRead: []string{RoleAll}}
	}
	return nil
}

// parseSettings keeps the defaults where the event says nothing.
func parseSettings(data []byte) (*settings, error) {
	fields, err := decodeObject(data)
	if err != nil {
		return nil, err
	}
	s := defaults()
	for name, list := range map[string]**acl{"$userStreamAcl": &s.user, "$systemStreamAcl": &s.system} {
		value, ok := fields[name]
		if !ok {
			continue
		}
		if *list, err = parseACL(value); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// currentSettings reads them when they are not remembered. Settings that cannot be
// understood say nothing.
func (a *Auth) currentSettings() (*settings, error) {
	if s := a.settings.Load(); s != nil {
		return s, nil
	}
	version := a.version.Load()
	r, err := a.last(settingsStream)
	if err != nil {
		return nil, err
	}
	s := defaults()
	if r != nil {
		if parsed, err := parseSettings(r.Data); err == nil {
			s = parsed
		} else {
			a.logger.Error("the settings of the event store are not understood; the defaults count", "stream", settingsStream, "revision", r.Revision, "cause", err)
		}
	}
	a.keep(version, func() { a.settings.Store(s) })
	return s, nil
}

// aclOfStream returns what the stream's metadata says, nil for nothing.
func (a *Auth) aclOfStream(stream string) (*acl, error) {
	if l, ok := a.acls.Get(stream); ok {
		return l, nil
	}
	version := a.version.Load()
	r, err := a.last(node.MetadataStream(stream))
	if err != nil {
		return nil, err
	}
	l := a.parse(r)
	if l == nil {
		l = linked(stream)
	}
	a.keep(version, func() { a.acls.Add(stream, l) })
	return l, nil
}

// parse ignores metadata that cannot be understood, as EventStoreDB does. It is
// worth a warning: whoever wrote it believes that the stream is protected.
func (a *Auth) parse(metadata *node.Record) *acl {
	if metadata == nil || !metadata.JSON || len(metadata.Data) == 0 {
		return nil
	}
	l, err := parseMetadata(metadata.Data)
	if err != nil {
		a.logger.Warn("a stream's metadata is not understood; its access control list, if it has one, does not count", "stream", metadata.Stream, "revision", metadata.Revision, "cause", err)
		return nil
	}
	return l
}
