package eventstore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/waybill-dev/waybill/domain"
)

// NewEvents gives the events of one command their ids: they follow from the
// stream, the command, what it decided, and the index. A repeat that decides
// the same has the same ids, and the store recognises it. One that decides
// otherwise, because another process was told otherwise under the same
// command's id, must not pass for it: it is a conflict, and decided anew.
func NewEvents[E domain.Event](stream string, meta Metadata, events ...E) []NewEvent {
	all := make([]NewEvent, len(events))
	for i, e := range events {
		all[i] = NewEvent{Event: e, Metadata: meta}
		all[i].Content, _ = json.Marshal(e) // the append meets the same error, and refuses
	}
	command := meta.CommandID + "#" + digest(all)
	for i := range all {
		all[i].ID = EventID(stream, command, i)
	}
	return all
}

// digest is short and differs where the events do.
func digest(events []NewEvent) string {
	hash := sha256.New()
	for _, e := range events {
		hash.Write([]byte(e.Event.EventName()))
		hash.Write(e.Content)
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}
