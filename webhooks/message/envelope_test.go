package message_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/webhooks/message"
)

// whole is a message as encoding/json writes it.
type whole struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Version   int    `json:"version"`
	Aggregate struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"aggregate"`
	Sequence int             `json:"sequence"`
	Previous *int            `json:"previous"`
	Cursor   string          `json:"cursor"`
	Data     json.RawMessage `json:"data"`
	Personal json.RawMessage `json:"personal,omitempty"`
}

func TestAMessageIsWrittenAsTheStandardLibraryWritesIt(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "plain-1", `"quoted"`, `back\slash`, "<a href='&'>", "Tasse „blau“ ☕", "\x00\x1f\x7f", "\u2028\u2029", "half \xff of it", "new\nline",
	} {
		for previous := range 2 {
			for _, personal := range []string{"", `{ "name" : "<Ä>" }`} {
				m := message.Message{
					Kind: message.Kind{Public: "order." + text, Version: 12, Aggregate: text}, ID: text, AggregateID: text,
					Time: time.Date(2026, 8, 21, 14, 0, 0, 120_999_999, time.FixedZone("", 7200)), Data: json.RawMessage(`{"n":1}`), Personal: json.RawMessage(personal),
				}
				want := whole{ID: text, Type: m.Public, Timestamp: "2026-08-21T12:00:00.120Z", Version: 12, Sequence: 7, Cursor: text, Data: m.Data, Personal: m.Personal}
				want.Aggregate.Type, want.Aggregate.ID = text, text
				if previous > 0 {
					want.Previous = &previous
				}
				got, err := m.Whole(message.Place{Sequence: 7, Previous: previous, Cursor: text})
				wanted, wantErr := json.Marshal(want)
				if diff := cmp.Diff(string(wanted), string(got)); diff != "" || err != nil || wantErr != nil {
					t.Errorf("%q (-want +got):\n%s%v%v", text, diff, err, wantErr)
				}
			}
		}
	}
}

func TestPersonalDataThatIsNoJSONIsNotSent(t *testing.T) {
	t.Parallel()
	if body, err := (message.Message{Data: json.RawMessage(`{}`), Personal: json.RawMessage(`{`)}).Whole(message.Place{}); err == nil {
		t.Errorf("sends %s", body)
	}
}
