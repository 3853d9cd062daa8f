package eventstore

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
)

const (
	// nameKey is the message metadata that becomes the event's stored name.
	nameKey = "name"
	// defaultName is the stored name of a message without one.
	defaultName = "Message"
)

// envelope is what the store keeps of a message besides its payload.
type envelope struct {
	Message *messageFacts `json:"message"`
}

type messageFacts struct {
	// UUID is there where the event's id is not the message's UUID itself.
	UUID     *string          `json:"uuid,omitempty"`
	Metadata message.Metadata `json:"metadata,omitempty"`
}

// proposeMessage turns a message into an event to append.
func proposeMessage(msg *message.Message) (esdb.EventData, error) {
	id, original := messageID(msg.UUID)
	metadata, err := json.Marshal(envelope{Message: &messageFacts{UUID: original, Metadata: msg.Metadata}})
	if err != nil {
		return esdb.EventData{}, err
	}
	event := esdb.EventData{EventID: id, EventType: defaultName, Data: msg.Payload, Metadata: metadata}
	if name := msg.Metadata.Get(nameKey); name != "" {
		event.EventType = name
	}
	if json.Valid(msg.Payload) {
		event.ContentType = esdb.ContentTypeJson
	}
	return event, nil
}

// messageID returns the event id of a message, and the message's own text
// where the id alone does not tell it. A message without any gets a random id,
// for two of them are not the same message.
func messageID(text string) (uuid.UUID, *string) {
	if text == "" {
		return uuid.New(), &text
	}
	if id, err := uuid.Parse(text); err == nil && id != uuid.Nil && id.String() == text {
		return id, nil
	}
	return derive("message", text), &text
}

// MessageOf returns the message that a [Publisher] appended as this event. An
// event that nobody published is a message with the event's id, payload and
// stored name.
func MessageOf(r Recorded) *message.Message {
	var stored envelope
	if err := json.Unmarshal(r.RawMetadata, &stored); err != nil || stored.Message == nil {
		msg := message.NewMessage(r.ID.String(), r.Data)
		msg.Metadata.Set(nameKey, r.Type)
		return msg
	}
	id := r.ID.String()
	if stored.Message.UUID != nil {
		id = *stored.Message.UUID
	}
	msg := message.NewMessage(id, r.Data)
	for key, value := range stored.Message.Metadata {
		msg.Metadata.Set(key, value)
	}
	return msg
}

type pageKey struct{}

// messageOfPage returns a message that carries a page. Its UUID tells a reader
// of logs where in the log it is.
func messageOfPage(ctx context.Context, page Page) *message.Message {
	msg := message.NewMessage("page-"+strconv.FormatUint(uint64(page.Through), 10), nil)
	msg.SetContext(context.WithValue(ctx, pageKey{}, page))
	return msg
}

// PageOf returns the page that a message of a [Subscriber] carries.
func PageOf(msg *message.Message) (Page, bool) {
	page, ok := msg.Context().Value(pageKey{}).(Page)
	return page, ok
}
