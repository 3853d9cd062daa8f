package endpoint

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// Limits is what settings are judged by.
type Limits struct {
	Policy     address.Policy // of the URL
	KnownTypes []string       // the public types there are
	// CheckFilter says what is wrong with a filter; nil takes none at all.
	CheckFilter func(expression string) error
	// Further are mistakes in what is sealed, found before it was.
	Further []domain.Mistake
}

// What may be wrong with settings, besides the URL.
const (
	CodeNoTypes     = "event-types-missing"
	CodeUnknownType = "event-type-unknown"
	CodeRepeated    = "event-type-repeated"
	CodeTooLong     = "text-too-long"
	CodeFilter      = "filter-invalid"
	CodeUnknown     = "value-unknown"
	CodeRange       = "out-of-range"
)

// What settings may be at most.
const (
	LongestDescription = 500
	LongestFilter      = 4_000
	MostInFlight       = 64
	MostPerSecond      = 10_000
	MostWaits          = 50
	LongestWait        = 7 * 24 * 60 * 60 // seconds
)

func (l Limits) mistakes(s Settings) []domain.Mistake {
	mistakes := l.Policy.CheckURL(s.URL)
	for i := range mistakes {
		mistakes[i].Pointer = "/url"
	}
	mistakes = append(mistakes, tooLong("/description", s.Description, LongestDescription)...)
	mistakes = append(mistakes, l.typeMistakes(s.EventTypes)...)
	mistakes = append(mistakes, l.filterMistakes(s.Filter)...)
	mistakes = append(mistakes, unknown("/order_mode", s.OrderMode, "aggregate", OrderNone, OrderByEndpoint)...)
	mistakes = append(mistakes, unknown("/on_exhausted", s.OnExhausted, "skip", ExhaustedBlock)...)
	mistakes = append(mistakes, outOfRange("/max_in_flight", s.MaxInFlight, 0, MostInFlight)...)
	mistakes = append(mistakes, outOfRange("/rate_per_second", s.RatePerSecond, 0, MostPerSecond)...)
	mistakes = append(mistakes, waitMistakes(s.Waits)...)
	for _, m := range signing.CheckSchemes(s.Signatures) {
		m.Pointer = "/signatures" + m.Pointer
		mistakes = append(mistakes, m)
	}
	return append(mistakes, l.Further...)
}

// CheckWishes says what is wrong with types and a filter.
func (l Limits) CheckWishes(types []string, filter string) []domain.Mistake {
	return append(l.typeMistakes(types), l.filterMistakes(filter)...)
}

func (l Limits) typeMistakes(types []string) []domain.Mistake {
	if len(types) == 0 {
		return []domain.Mistake{{Pointer: "/event_types", Code: CodeNoTypes, Detail: `name at least one event type, or "*" for all`}}
	}
	var mistakes []domain.Mistake
	for i, name := range types {
		pointer := fmt.Sprintf("/event_types/%d", i)
		switch {
		case slices.Contains(types[:i], name):
			mistakes = append(mistakes, domain.Mistake{Pointer: pointer, Code: CodeRepeated, Detail: fmt.Sprintf("%q is named twice", name)})
		case name != AllTypes && !slices.Contains(l.KnownTypes, name):
			mistakes = append(mistakes, domain.Mistake{Pointer: pointer, Code: CodeUnknownType, Detail: fmt.Sprintf("there is no event type %q", name)})
		}
	}
	return mistakes
}

func (l Limits) filterMistakes(filter string) []domain.Mistake {
	if mistakes := tooLong("/filter", filter, LongestFilter); filter == "" || len(mistakes) > 0 {
		return mistakes
	}
	if l.CheckFilter == nil {
		return []domain.Mistake{{Pointer: "/filter", Code: CodeFilter, Detail: "filters are not understood here"}}
	}
	if err := l.CheckFilter(filter); err != nil {
		return []domain.Mistake{{Pointer: "/filter", Code: CodeFilter, Detail: err.Error()}}
	}
	return nil
}

func waitMistakes(waits []int) []domain.Mistake {
	if len(waits) > MostWaits {
		return []domain.Mistake{{Pointer: "/waits", Code: CodeRange, Detail: fmt.Sprintf("at most %d waits", MostWaits)}}
	}
	var mistakes []domain.Mistake
	for i, wait := range waits {
		mistakes = append(mistakes, outOfRange(fmt.Sprintf("/waits/%d", i), wait, 0, LongestWait)...)
	}
	return mistakes
}

func tooLong(pointer, text string, most int) []domain.Mistake {
	if utf8.RuneCountInString(text) <= most {
		return nil
	}
	return []domain.Mistake{{Pointer: pointer, Code: CodeTooLong, Detail: fmt.Sprintf("at most %d characters", most)}}
}

// unknown judges a value that has the zero value for what is usual.
func unknown(pointer, value, usual string, others ...string) []domain.Mistake {
	if value == "" || slices.Contains(others, value) {
		return nil
	}
	detail := fmt.Sprintf("%q is none of %s, %s", value, usual, strings.Join(others, ", "))
	return []domain.Mistake{{Pointer: pointer, Code: CodeUnknown, Detail: detail}}
}

func outOfRange(pointer string, value, least, most int) []domain.Mistake {
	if value >= least && value <= most {
		return nil
	}
	return []domain.Mistake{{Pointer: pointer, Code: CodeRange, Detail: fmt.Sprintf("from %d to %d", least, most)}}
}
