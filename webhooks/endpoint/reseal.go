package endpoint

import (
	"reflect"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// Sealed is what an endpoint keeps encrypted.
type Sealed struct {
	Secrets []Secret `json:"secrets,omitempty"` // those that sign, and the first one
	Headers []byte   `json:"sealed_headers,omitempty"`
	Auth    []byte   `json:"sealed_auth,omitempty"`
}

// Reseal puts other seals on what is sealed. Deciding on an endpoint that was
// changed since it was read would mix the two: the store's check of revisions
// keeps that out.
type Reseal struct {
	Sealed
	At time.Time
}

func (Reseal) command() {}

// SecretsResealed is recorded when what an endpoint keeps encrypted was
// encrypted anew, with a newer master key. What is within the seals is the
// same.
type SecretsResealed struct {
	EndpointID string `json:"endpoint_id"`
	Sealed
	ResealedAt time.Time `json:"resealed_at"`
}

func (SecretsResealed) event() {}

// EventName implements [domain.Event].
func (SecretsResealed) EventName() string { return "EndpointSecretsResealed" }

func resealEvents() []domain.EventType { return domain.EventTypes(SecretsResealed{}) }

// Sealed returns what the endpoint keeps encrypted. The first secret is among
// it for as long as the endpoint is there: whoever repeats the request that
// made it is shown it again.
func (s State) Sealed() Sealed {
	sealed := Sealed{Secrets: slices.Clone(s.Secrets), Headers: s.SealedHeaders, Auth: s.SealedAuth}
	first := Secret{Version: s.Created.SecretVersion, Sealed: s.Created.SealedSecret}
	if !slices.ContainsFunc(s.Secrets, func(k Secret) bool { return k.Version == first.Version }) {
		sealed.Secrets = append([]Secret{first}, sealed.Secrets...)
	}
	return sealed
}

func decideReseal(s State, c Reseal) []Event {
	if reflect.DeepEqual(s.Sealed(), c.Sealed) {
		return nil
	}
	return []Event{SecretsResealed{EndpointID: s.ID, Sealed: c.Sealed, ResealedAt: c.At}}
}

func evolveResealed(s State, e SecretsResealed) State {
	s.Secrets = slices.Clone(s.Secrets)
	for _, resealed := range e.Secrets {
		if resealed.Version == s.Created.SecretVersion {
			s.Created.SealedSecret = resealed.Sealed
		}
		for i := range s.Secrets {
			if s.Secrets[i].Version == resealed.Version {
				s.Secrets[i].Sealed = resealed.Sealed
			}
		}
	}
	if len(e.Headers) > 0 {
		s.SealedHeaders = e.Headers
	}
	if len(e.Auth) > 0 {
		s.SealedAuth = e.Auth
	}
	return s
}
