// Package notice writes to owners of endpoints when nothing can be delivered,
// when it can again, and when an endpoint was disabled. It promises that each
// event is written about at most once, to the address the endpoint has by then,
// and that no address stands in an error. It must not know how mails are sent,
// nor judge why one was not.
package notice

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/smtp"
	"github.com/waybill-dev/waybill/vault"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// Name is the handler's.
const Name = "endpoint-mail"

// Contacts reads an address by its reference; [vault.Vault] does.
type Contacts interface {
	Get(ctx context.Context, ref string, into any) error
}

// Mailer hands over mails; [smtp.Server] is one.
type Mailer interface {
	Send(ctx context.Context, m smtp.Mail) error
}

// Once brings about an effect once for a key.
type Once interface {
	Do(ctx context.Context, key string, effect func(context.Context) error) error
}

// Config is what mails look like.
type Config struct {
	Shop     string        // its name
	From     string        // the sender's address
	ReplyTo  string        // may be empty
	URL      string        // of the platform: the console is below it
	Language string        // en or de; anything else is en
	GiveUp   time.Duration // without success, after which an endpoint is disabled
}

// Service writes mails. It may be used by many goroutines.
type Service struct {
	Store    eventstore.Store
	Contacts Contacts
	Mailer   Mailer
	Inbox    Once
	Config   Config
}

// Types lists the stored names of the events that may be written about.
func Types() []string {
	return []string{endpoint.Failing{}.EventName(), endpoint.Recovered{}.EventName(), endpoint.Disabled{}.EventName()}
}

// Handle writes about an event, if it is one of those and the endpoint has an
// address.
func (s *Service) Handle(ctx context.Context, r eventstore.Recorded) error {
	if !slices.Contains(Types(), r.Type) {
		return nil
	}
	event, err := r.Decode()
	if err != nil {
		return fmt.Errorf("read %s %d of %s: %w", r.Type, r.Revision, r.Stream, err)
	}
	l, ok := s.letter(event)
	if !ok {
		return nil
	}
	state, _, err := eventstore.Load(ctx, s.Store, endpoint.Decider, message.AggregateID(r.Stream))
	if err != nil || !state.Exists() || state.ContactRef == "" {
		return err
	}
	l.URL, l.Console = origin(state.URL), strings.TrimRight(s.Config.URL, "/")+"/console/endpoints/"+state.ID
	err = s.Inbox.Do(ctx, Name+":"+r.ID.String(), func(ctx context.Context) error { return s.send(ctx, r, state.ContactRef, l) })
	if err != nil {
		return fmt.Errorf("mail %s about %s %d of %s: %w", l.About, r.Type, r.Revision, r.Stream, err)
	}
	return nil
}

// origin is a URL without its path and query, which may be a partner's secret: a
// mail is read by many.
func origin(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// letter says what is to be written; nothing of what an owner did himself.
func (s *Service) letter(event domain.Event) (Letter, bool) {
	switch e := event.(type) {
	case endpoint.Failing:
		l := Letter{About: "failing", Since: e.Since}
		if s.Config.GiveUp > 0 {
			l.Until = e.Since.Add(s.Config.GiveUp)
		}
		return l, true
	case endpoint.Recovered:
		return Letter{About: "recovered", Since: e.Since, At: e.RecoveredAt}, true
	case endpoint.Disabled:
		return Letter{About: "disabled-" + e.Reason, At: e.DisabledAt}, e.Reason == endpoint.ReasonGone || e.Reason == endpoint.ReasonFailing
	}
	return Letter{}, false
}

// send writes to the owner, if there still is an address.
func (s *Service) send(ctx context.Context, r eventstore.Recorded, ref string, l Letter) error {
	var contact vault.Contact
	err := s.Contacts.Get(ctx, ref, &contact)
	if errors.Is(err, vault.ErrErased) || errors.Is(err, vault.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	m, err := s.Config.Write(l)
	if err != nil {
		return err
	}
	_, host, _ := strings.Cut(s.Config.From, "@")
	m.To.Email, m.ID, m.Date = contact.Email, eventstore.DeriveID("mail", r.ID.String(), Name)+"@"+host, r.Created
	return s.Mailer.Send(ctx, m)
}
