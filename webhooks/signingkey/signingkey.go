// Package signingkey keeps the keys that sign webhooks where a receiver shall
// verify and not sign (scheme v1a). Each partner has keys of its own, derived
// from one seed, so that a message for one is no message for another. It
// promises that a key which follows another signs beside it for a while. Seeds
// are events, sealed; it must not know what is signed.
package signingkey

import (
	"bytes"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// What the overlap of two seeds may be.
const (
	DefaultOverlap = 7 * 24 * time.Hour
	LongestOverlap = 90 * 24 * time.Hour
)

// ErrOverlap refuses a rotation.
var ErrOverlap = domain.Rule("signing-key-overlap", "two signing keys sign side by side for 0 s to 90 days")

// Event is a fact about the seeds: [Rotated], [Resealed].
//
//sumtype:decl
type Event interface {
	domain.Event
	event()
}

// Rotated is recorded when a seed is made: the first one when it is needed
// first, the others when somebody asks for it.
type Rotated struct {
	// Version counts from 1.
	Version    int    `json:"version"`
	RotationID string `json:"rotation_id"` // who asked twice gets one
	// SealedSeed is 32 bytes, encrypted; its associated data are
	// "signing key|{version}".
	SealedSeed []byte `json:"sealed_seed"`
	// OldUntil is when the seed before ends, zero for the first.
	OldUntil  time.Time `json:"old_until,omitzero"`
	RotatedAt time.Time `json:"rotated_at"`
}

// Resealed is recorded when a seed was encrypted anew, with a newer master key.
// The seed is the same.
type Resealed struct {
	Version    int       `json:"version"`
	SealedSeed []byte    `json:"sealed_seed"` // as in [Rotated]
	ResealedAt time.Time `json:"resealed_at"`
}

func (Rotated) event()  {}
func (Resealed) event() {}

// EventName implements [domain.Event].
func (Resealed) EventName() string { return "SigningKeyResealed" }

// EventName implements [domain.Event].
func (Rotated) EventName() string { return "SigningKeyRotated" }

// EventTypes lists the stored events of this package for the codec.
func EventTypes() []domain.EventType { return domain.EventTypes(Rotated{}, Resealed{}) }

// Command is a wish about the seeds: [Rotate], [Reseal].
//
//sumtype:decl
type Command interface{ command() }

// Rotate adds a seed of the version after the last one; of another version it
// changes nothing, because somebody else was faster. A rotation has one overlap:
// with another one it is refused with [domain.ErrKeyReused].
type Rotate struct {
	Version    int
	RotationID string
	SealedSeed []byte
	Overlap    time.Duration
	At         time.Time
}

// Reseal puts another seal on the seed of a version.
type Reseal struct {
	Version    int
	SealedSeed []byte
	At         time.Time
}

func (Rotate) command() {}
func (Reseal) command() {}

// Seed is one of the state's.
type Seed struct {
	Version    int
	RotationID string
	Sealed     []byte
	Since      time.Time
	NotAfter   time.Time // zero while no other has followed it
}

// State is every seed there was, the oldest first.
type State struct{ Seeds []Seed }

// Decider is the aggregate, of stream signingkey-{installation}.
var Decider = domain.Decider[State, Command, Event]{Category: "signingkey", Decide: decide, Evolve: evolve}

func decide(s State, c Command) ([]Event, error) {
	if reseal, ok := c.(Reseal); ok {
		return decideReseal(s, reseal), nil
	}
	rotate, ok := c.(Rotate)
	if !ok {
		panic("signingkey: impossible command")
	}
	for i, seed := range s.Seeds {
		switch {
		case seed.RotationID == rotate.RotationID && i > 0 && s.Seeds[i-1].NotAfter.Sub(seed.Since) != rotate.Overlap:
			return nil, domain.ErrKeyReused
		case seed.RotationID == rotate.RotationID || seed.Version == rotate.Version:
			return nil, nil
		}
	}
	if rotate.Overlap < 0 || rotate.Overlap > LongestOverlap {
		return nil, ErrOverlap
	}
	rotated := Rotated{Version: rotate.Version, RotationID: rotate.RotationID, SealedSeed: rotate.SealedSeed, RotatedAt: rotate.At}
	if len(s.Seeds) > 0 {
		rotated.OldUntil = rotate.At.Add(rotate.Overlap)
	}
	return []Event{rotated}, nil
}

func decideReseal(s State, c Reseal) []Event {
	for _, seed := range s.Seeds {
		if seed.Version == c.Version && !bytes.Equal(seed.Sealed, c.SealedSeed) {
			return []Event{Resealed{Version: c.Version, SealedSeed: c.SealedSeed, ResealedAt: c.At}}
		}
	}
	return nil
}

func evolve(s State, e Event) State {
	if resealed, ok := e.(Resealed); ok {
		seeds := slices.Clone(s.Seeds)
		for i := range seeds {
			if seeds[i].Version == resealed.Version {
				seeds[i].Sealed = resealed.SealedSeed
			}
		}
		return State{Seeds: seeds}
	}
	rotated, ok := e.(Rotated)
	if !ok {
		panic("signingkey: impossible event")
	}
	seeds := make([]Seed, len(s.Seeds), len(s.Seeds)+1)
	copy(seeds, s.Seeds)
	if last := len(seeds) - 1; last >= 0 {
		seeds[last].NotAfter = rotated.OldUntil
	}
	return State{Seeds: append(seeds, Seed{
		Version: rotated.Version, RotationID: rotated.RotationID, Sealed: rotated.SealedSeed, Since: rotated.RotatedAt,
	})}
}
