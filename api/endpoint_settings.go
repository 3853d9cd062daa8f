package api

import (
	"context"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/credentials"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// EndpointSettings is exported because huma looks into nothing else that is
// embedded.
type EndpointSettings struct {
	URL           string   `json:"url" doc:"Where messages are sent: https, without user name and fragment." example:"https://partner.example/waybill"`
	EventTypes    []string `json:"event_types" nullable:"false" doc:"Which events are sent; * is every one." example:"[\"order.placed\"]"`
	Description   string   `json:"description,omitempty" doc:"For people, at most 500 characters."`
	Filter        string   `json:"filter,omitempty" doc:"An expression in CEL over what a message is about: only those it is true for are sent. At most 4,000 characters; GET /v1/event-types lists what it may ask for." example:"total >= 10000"`
	OrderMode     string   `json:"order_mode,omitempty" doc:"What waits for a message that failed: those of the same aggregate (aggregate, usually), none, or everything (endpoint)." example:"aggregate"`
	OnExhausted   string   `json:"on_exhausted,omitempty" doc:"When the attempts at a message are used up: those behind it go on (skip, usually), or wait until it is sent again (block)." example:"skip"`
	MaxInFlight   int      `json:"max_in_flight,omitempty" doc:"The most attempts at once, 1 to 64; missing is the usual." example:"8"`
	RatePerSecond int      `json:"rate_per_second,omitempty" doc:"The most attempts begun in a second, up to 10,000; missing is any number." example:"50"`
	Waits         []int    `json:"waits,omitempty" nullable:"false" doc:"Seconds between the attempts at one message, instead of the usual schedule: at most 50, each up to 604,800." example:"[5,30,120]"`
	Trace         *bool    `json:"trace,omitempty" doc:"Whether the header traceparent is sent; missing is true."`
	PersonalData  bool     `json:"personal_data,omitempty" doc:"Whether messages have the personal data of customers. Not for partners."`
	Signatures    []string `json:"signatures,omitempty" nullable:"false" doc:"By which schemes messages are signed, v1 and v1a; missing is v1 alone." example:"[\"v1\"]"`
}

// The words of the API for what is usual.
const (
	orderByAggregate = "aggregate"
	exhaustedSkip    = "skip"
)

func settingsBodyOf(s endpoint.Settings) EndpointSettings {
	body := EndpointSettings{
		URL: s.URL, EventTypes: append([]string{}, s.EventTypes...), Description: s.Description, Filter: s.Filter,
		OrderMode: s.OrderMode, OnExhausted: s.OnExhausted, MaxInFlight: s.MaxInFlight, RatePerSecond: s.RatePerSecond,
		Waits: s.Waits, PersonalData: s.PersonalData, Signatures: s.Signatures,
	}
	if s.NoTrace {
		body.Trace = new(false)
	}
	return body
}

func (b EndpointSettings) settings() endpoint.Settings {
	s := endpoint.Settings{
		URL: b.URL, EventTypes: b.EventTypes, Description: b.Description, Filter: b.Filter,
		OrderMode: b.OrderMode, OnExhausted: b.OnExhausted, MaxInFlight: b.MaxInFlight, RatePerSecond: b.RatePerSecond,
		Waits: b.Waits, NoTrace: b.Trace != nil && !*b.Trace, PersonalData: b.PersonalData, Signatures: b.Signatures,
	}
	if s.OrderMode == orderByAggregate {
		s.OrderMode = endpoint.OrderByAggregate
	}
	if s.OnExhausted == exhaustedSkip {
		s.OnExhausted = endpoint.ExhaustedSkip
	}
	return s
}

// patchEndpointBody has the members of [EndpointSettings], each of which may be
// missing, or null for what is usual (RFC 7396).
type patchEndpointBody struct {
	URL           member[string]   `json:"url,omitzero" doc:"As at creation."`
	EventTypes    member[[]string] `json:"event_types,omitzero" nullable:"false" doc:"As at creation, all of them."`
	Description   member[string]   `json:"description,omitzero" nullable:"true"`
	Filter        member[string]   `json:"filter,omitzero" nullable:"true"`
	OrderMode     member[string]   `json:"order_mode,omitzero" nullable:"true"`
	OnExhausted   member[string]   `json:"on_exhausted,omitzero" nullable:"true"`
	MaxInFlight   member[int]      `json:"max_in_flight,omitzero" nullable:"true"`
	RatePerSecond member[int]      `json:"rate_per_second,omitzero" nullable:"true"`
	Waits         member[[]int]    `json:"waits,omitzero" nullable:"true"`
	Trace         member[*bool]    `json:"trace,omitzero" nullable:"true"`
	PersonalData  member[bool]     `json:"personal_data,omitzero" nullable:"true"`
	Signatures    member[[]string] `json:"signatures,omitzero" nullable:"true"`

	ContactEmail member[string] `json:"contact_email,omitzero" nullable:"true" format:"email" maxLength:"254"`

	Credentials *credentials.Credentials `json:"credentials,omitempty" doc:"Instead of those it has, all of them; without any members they are taken away."`
}

// createEndpointBody is what an endpoint is made of.
type createEndpointBody struct {
	EndpointSettings
	ContactEmail string                   `json:"contact_email,omitempty" format:"email" maxLength:"254" doc:"Who is written to when nothing could be delivered for long, when it can be again, and when the endpoint was disabled for it." example:"ops@partner.example"`
	Credentials  *credentials.Credentials `json:"credentials,omitempty" doc:"What the endpoint wants to see of us beside the signature. Kept encrypted, and never shown."`
}

// shownCredentials are what is told of credentials; nil is that there are none.
func shownCredentials(s endpoint.Settings) *credentials.Summary {
	shown := s.Credentials
	if shown == nil {
		return nil
	}
	return &credentials.Summary{
		Headers: s.HeaderNames, Basic: shown.Basic, TokenURL: shown.TokenURL, ClientID: shown.ClientID,
		Certificate: shown.Certificate, NotAfter: shown.NotAfter, Authorities: shown.Authorities, Signature: shown.Signature,
	}
}

// settings are those that an endpoint has after the patch. What is sealed is not
// among them and stays.
func (b patchEndpointBody) settings(now endpoint.Settings) endpoint.Settings {
	body := settingsBodyOf(now)
	b.URL.put(&body.URL)
	b.EventTypes.put(&body.EventTypes)
	b.Description.put(&body.Description)
	b.Filter.put(&body.Filter)
	b.OrderMode.put(&body.OrderMode)
	b.OnExhausted.put(&body.OnExhausted)
	b.MaxInFlight.put(&body.MaxInFlight)
	b.RatePerSecond.put(&body.RatePerSecond)
	b.Waits.put(&body.Waits)
	b.Trace.put(&body.Trace)
	b.PersonalData.put(&body.PersonalData)
	b.Signatures.put(&body.Signatures)
	next := body.settings()
	next.HeaderNames, next.SealedHeaders, next.Auth, next.SealedAuth = now.HeaderNames, now.SealedHeaders, now.Auth, now.SealedAuth
	next.Credentials, next.ContactRef = now.Credentials, now.ContactRef
	return next
}

// private is what the patch says that is kept elsewhere.
func (b patchEndpointBody) private() webhooks.Private {
	p := webhooks.Private{Credentials: b.Credentials}
	if b.ContactEmail.given {
		p.Contact = &b.ContactEmail.value
	}
	return p
}

// mayHave refuses settings that the caller may not give an endpoint.
func mayHave(ctx context.Context, refusal *domain.RuleError, s endpoint.Settings) error {
	if callOf(ctx).credential.PartnerID == "" || !s.PersonalData {
		return nil
	}
	return refusal.Because(domain.Mistake{
		Pointer: "/personal_data", Code: "not-for-partners", Detail: "messages to partners have no personal data",
	})
}
