package message

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:embed testdata/*.json
var golden embed.FS

// Example returns a whole message of this kind, as it would be sent.
func (k Kind) Example() json.RawMessage {
	example, err := golden.ReadFile(fmt.Sprintf("testdata/%s.v%d.json", k.Public, k.Version))
	if err != nil {
		panic(err) // a test insists on one for every kind
	}
	return example
}
