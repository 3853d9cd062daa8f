package api

import "encoding/json"

// foreignText is text that a stranger wrote. It is marshalled so that it stays
// text wherever it ends up: <, > and & are escaped, so that a page which has
// the answer inside a script, or is shown it by mistake, runs nothing of it.
type foreignText string

// MarshalJSON implements [json.Marshaler]; the encoder of answers does not
// escape by itself, and leaves alone what is escaped.
func (t foreignText) MarshalJSON() ([]byte, error) { return json.Marshal(string(t)) }
