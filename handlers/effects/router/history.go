package router

import (
	"encoding/json"
	"time"
)

// history is what is told of an event that was put aside.
type history struct {
	now func() time.Time

	Attempts int       `json:"attempts"`
	First    time.Time `json:"first"`
	Errors   []failure `json:"errors"` // the newest are last
}

type failure struct {
	At    time.Time `json:"at"`
	Error string    `json:"error"`
}

// Bounds of what is told: the store cuts reasons at 16 KiB.
const (
	mostErrors    = 10
	longestText   = 1000
	longestReason = 12 << 10
)

func newHistory(now func() time.Time) *history { return &history{now: now} }

func (h *history) add(err error) {
	at := h.now().UTC()
	if h.Attempts++; h.Attempts == 1 {
		h.First = at
	}
	text := []rune(err.Error())
	if len(text) > longestText {
		text = append(text[:longestText], '…')
	}
	if len(h.Errors) == mostErrors {
		h.Errors = h.Errors[1:]
	}
	h.Errors = append(h.Errors, failure{at, string(text)})
}

func (h *history) last() string { return h.Errors[len(h.Errors)-1].Error }

// reason is the history as JSON, the oldest errors left out where it is long.
func (h *history) reason() string {
	for {
		text, err := json.Marshal(h)
		if err != nil {
			return h.last()
		}
		if len(text) <= longestReason || len(h.Errors) <= 1 {
			return string(text)
		}
		h.Errors = h.Errors[1:]
	}
}
