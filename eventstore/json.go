package eventstore

import (
	"encoding/json"
	"reflect"

	fast "github.com/go-json-experiment/json"
	present "github.com/go-json-experiment/json/v1"
)

// asPresent reads names as encoding/json does: whatever their capitals.
//
//nolint:gochecknoglobals // put together once
var asPresent = fast.JoinOptions(fast.MatchCaseInsensitiveNames(true), present.MatchCaseSensitiveDelimiter(true))

// read makes an event of JSON as encoding/json does, in less than half of its
// time. What the next version of that package refuses, such as a name that is
// given twice or broken UTF-8, is left to the present one.
func read(data []byte, kind reflect.Type) (reflect.Value, error) {
	event := reflect.New(kind)
	if err := fast.Unmarshal(data, event.Interface(), asPresent); err == nil {
		return event.Elem(), nil
	}
	event = reflect.New(kind) // without what was read before the error
	if err := json.Unmarshal(data, event.Interface()); err != nil {
		return reflect.Value{}, err
	}
	return event.Elem(), nil
}
