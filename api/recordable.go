package api

import (
	"bytes"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/domain"
)

// formatTime is what a schema calls text that is a time.
const formatTime = "date-time"

// checkTimes refuses a request with times that are some by their form and that
// no event can have: nothing behind it needs to think of them.
func (s *server) checkTimes(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	var mistakes []mistake
	for _, p := range op.Parameters {
		if p.In == "query" && p.Schema.Format == formatTime && unrecordable(ctx.Query(p.Name)) {
			mistakes = append(mistakes, mistake{Parameter: "query." + p.Name, Code: "invalid", Detail: notRecordable})
		}
	}
	if body := bodyOf(op); body != nil {
		mistakes = append(mistakes, s.timesIn(callOf(ctx.Context()).body, body)...)
	}
	if len(mistakes) == 0 {
		next(ctx)
		return
	}
	problem := s.problem(ctx.Context(), kindInvalid, "the request has a mistake")
	problem.Errors = mistakes
	_, w := humago.Unwrap(ctx)
	s.write(w, problem)
}

// timesIn finds the times of a body that cannot be recorded. A body that cannot
// be read has none: that is refused elsewhere.
func (s *server) timesIn(body []byte, schema *huma.Schema) (mistakes []mistake) {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	for {
		token, err := decoder.ReadToken()
		if err != nil || len(mistakes) == mostMistakes {
			return mistakes
		}
		if token.Kind() != '"' || !unrecordable(token.String()) {
			continue
		}
		at := decoder.StackPointer()
		if there := s.schemaAt(schema, at); there != nil && there.Format == formatTime {
			mistakes = append(mistakes, mistake{Pointer: string(at), Code: "invalid", Detail: notRecordable})
		}
	}
}

// notRecordable is why a time is refused.
const notRecordable = "is a time that cannot be recorded: the years 1 to 9999 of UTC can, with a zone less than 24 hours away"

// unrecordable reports whether a text has the form of a time, and not one that
// can be recorded. Few texts are looked at closely.
func unrecordable(text string) bool {
	if len(text) < len("2006-01-02T15:04:05Z") || text[10] != 'T' {
		return false
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return err == nil && !domain.Recordable(at)
}
