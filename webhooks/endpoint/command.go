package endpoint

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/webhooks/address"
)

// Command is a wish about an endpoint: [Create], [Delete], [Disable],
// [Enable], [Test].
//
//sumtype:decl
type Command interface{ command() }

// Create describes an endpoint.
type Create struct {
	EndpointID    string
	URL           string
	EventTypes    []string
	Description   string
	SealedSecret  []byte
	SecretVersion int
	At            time.Time
	// Policy judges the URL, KnownTypes are the public types there are.
	Policy     address.Policy
	KnownTypes []string
}

// Delete stops deliveries for good.
type Delete struct{ At time.Time }

// Disable stops deliveries for a while.
type Disable struct {
	Reason string
	At     time.Time
}

// Enable lets deliveries go on where they stopped.
type Enable struct{ At time.Time }

// Test asks for a test message. Asking again with the id of the last test is
// harmless.
type Test struct {
	TestID string
	At     time.Time
}

func (Create) command()  {}
func (Delete) command()  {}
func (Disable) command() {}
func (Enable) command()  {}
func (Test) command()    {}

// What may be wrong with a description, besides the URL.
const (
	CodeNoTypes     = "event-types-missing"
	CodeUnknownType = "event-type-unknown"
	CodeRepeated    = "event-type-repeated"
	CodeTooLong     = "text-too-long"
)

const longestDescription = 500

func decideCreate(s State, c Create) ([]Event, error) {
	if s.Status != "" {
		return nil, repeated(s, c)
	}
	if mistakes := c.mistakes(); len(mistakes) > 0 {
		return nil, ErrInvalid.Because(mistakes...)
	}
	return []Event{Created{
		EndpointID: c.EndpointID, URL: c.URL, EventTypes: c.EventTypes, Description: c.Description,
		SealedSecret: c.SealedSecret, SecretVersion: c.SecretVersion, CreatedAt: c.At,
	}}, nil
}

// repeated accepts a command that was carried out already; the secret of the
// repetition is another one and does not count.
func repeated(s State, c Create) error {
	switch {
	case s.Created.URL != c.URL || s.Created.Description != c.Description || !slices.Equal(s.Created.EventTypes, c.EventTypes):
		return ErrExists
	case !s.Exists():
		return ErrDeleted
	}
	return nil
}

func (c Create) mistakes() []domain.Mistake {
	mistakes := c.Policy.CheckURL(c.URL)
	for i := range mistakes {
		mistakes[i].Pointer = "/url"
	}
	if utf8.RuneCountInString(c.Description) > longestDescription {
		mistakes = append(mistakes, domain.Mistake{
			Pointer: "/description", Code: CodeTooLong, Detail: fmt.Sprintf("at most %d characters", longestDescription),
		})
	}
	return append(mistakes, c.typeMistakes()...)
}

func (c Create) typeMistakes() []domain.Mistake {
	if len(c.EventTypes) == 0 {
		return []domain.Mistake{{Pointer: "/event_types", Code: CodeNoTypes, Detail: `name at least one event type, or "*" for all`}}
	}
	var mistakes []domain.Mistake
	for i, name := range c.EventTypes {
		pointer := fmt.Sprintf("/event_types/%d", i)
		switch {
		case slices.Contains(c.EventTypes[:i], name):
			mistakes = append(mistakes, domain.Mistake{Pointer: pointer, Code: CodeRepeated, Detail: fmt.Sprintf("%q is named twice", name)})
		case name != AllTypes && !slices.Contains(c.KnownTypes, name):
			mistakes = append(mistakes, domain.Mistake{Pointer: pointer, Code: CodeUnknownType, Detail: fmt.Sprintf("there is no event type %q", name)})
		}
	}
	return mistakes
}
