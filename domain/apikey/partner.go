package apikey

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Partner is somebody else who gets to see what concerns him: the orders of
// his sales channels, as messages.
type Partner struct {
	ID           string
	Name         string
	Channels     []string // sales channels, as orders name them
	RegisteredAt time.Time
}

// RegisterPartner adds a partner.
type RegisterPartner struct {
	PartnerID string
	Name      string
	Channels  []string
	At        time.Time
}

// ChangePartner replaces a partner's name and sales channels.
type ChangePartner struct {
	PartnerID string
	Name      string
	Channels  []string
	At        time.Time
}

func (RegisterPartner) command() {}
func (ChangePartner) command()   {}

// PartnerScopes are those a partner's key may have: they reach what is the
// partner's own.
func PartnerScopes() []Scope { return []Scope{WebhooksRead, WebhooksWrite} }

// What a partner may be at most.
const (
	mostChannels   = 100
	longestChannel = 100 // bytes
	longestID      = 64
)

func registerPartner(s State, c RegisterPartner) ([]Event, error) {
	mistakes := describedWrongly(c.Name, c.Channels)
	if !validID(c.PartnerID) {
		mistakes = append(mistakes, domain.Mistake{
			Pointer: "/id", Code: "invalid-id", Detail: fmt.Sprintf("an id has 1 to %d letters, digits, -, _ and .", longestID),
		})
	}
	if len(mistakes) > 0 {
		return nil, ErrPartnerInvalid.Because(mistakes...)
	}
	old, exists := s.Partners[c.PartnerID]
	switch {
	case !exists:
		return []Event{PartnerRegistered{PartnerID: c.PartnerID, Name: c.Name, Channels: c.Channels, RegisteredAt: c.At}}, nil
	case old.Name == c.Name && slices.Equal(old.Channels, c.Channels):
		return nil, nil // asked twice: the first time did it
	}
	return nil, ErrIDReused.With("partner_id", c.PartnerID)
}

func changePartner(s State, c ChangePartner) ([]Event, error) {
	old, exists := s.Partners[c.PartnerID]
	if !exists {
		return nil, ErrPartnerNotFound.With("partner_id", c.PartnerID)
	}
	if mistakes := describedWrongly(c.Name, c.Channels); len(mistakes) > 0 {
		return nil, ErrPartnerInvalid.Because(mistakes...)
	}
	if old.Name == c.Name && slices.Equal(old.Channels, c.Channels) {
		return nil, nil
	}
	return []Event{PartnerChanged{PartnerID: c.PartnerID, Name: c.Name, Channels: c.Channels, ChangedAt: c.At}}, nil
}

func describedWrongly(name string, channels []string) []domain.Mistake {
	var list []domain.Mistake
	if strings.TrimSpace(name) == "" || len(name) > maxName {
		list = append(list, domain.Mistake{Pointer: "/name", Code: "invalid-name", Detail: "a name has 1 to 200 bytes"})
	}
	if len(channels) > mostChannels {
		list = append(list, domain.Mistake{Pointer: "/channels", Code: "too-many", Detail: fmt.Sprintf("at most %d channels", mostChannels)})
	}
	for i, channel := range channels {
		pointer := "/channels/" + strconv.Itoa(i)
		if channel == "" || len(channel) > longestChannel {
			list = append(list, domain.Mistake{Pointer: pointer, Code: "invalid-channel", Detail: fmt.Sprintf("a channel has 1 to %d bytes", longestChannel)})
		} else if slices.Contains(channels[:i], channel) {
			list = append(list, domain.Mistake{Pointer: pointer, Code: "duplicate", Detail: "the channel is listed twice"})
		}
	}
	return list
}

func validID(id string) bool {
	return id != "" && len(id) <= longestID && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}

// partnerMistakes are those of a key that is to be a partner's.
func partnerMistakes(s State, c Issue) []domain.Mistake {
	if c.PartnerID == "" {
		return nil
	}
	var list []domain.Mistake
	if _, exists := s.Partners[c.PartnerID]; !exists {
		list = append(list, domain.Mistake{Pointer: "/partner_id", Code: "unknown-partner", Detail: "there is no such partner"})
	}
	for i, scope := range c.Scopes {
		if slices.Contains(Scopes(), scope) && !slices.Contains(PartnerScopes(), scope) {
			list = append(list, domain.Mistake{
				Pointer: "/scopes/" + strconv.Itoa(i), Code: "not-for-partners", Detail: "a partner's key may have webhooks:read and webhooks:write",
			})
		}
	}
	return list
}
