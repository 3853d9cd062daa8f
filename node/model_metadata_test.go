package node_test

import (
	"encoding/json"
	"maps"
	"math"
	"strconv"
	"strings"
)

// A limit is what metadata hides of a stream; 0 is nothing.
type limit struct{ tb, maxCount, maxAge uint64 }

// A meaning is what an event says where it is the newest of a metadata stream.
// The tests know it of every text they write, so that none has to be parsed.
type meaning struct {
	fields map[string]any
	object bool // a JSON object, to which a new $tb can be given
	// Of wrong kind: nothing counts because of the $tb, or because of another
	// field.
	wrongTB, wrong bool
}

// metadata is all that the tests write to metadata streams on purpose.
var metadata = []struct {
	text  string
	means meaning
}{
	{`{"$maxCount":2}`, meaning{}},
	{`{"$maxCount":1,"kind":"red"}`, meaning{}},
	{`{"$maxCount":3,"$tb":2}`, meaning{}},
	{`{"$tb":3}`, meaning{}},
	{`{"$tb":0}`, meaning{}},
	{`{"$tb":100}`, meaning{}},
	{`{"$maxAge":20}`, meaning{}},
	{`{"$maxAge":5,"$maxCount":4,"$tb":1}`, meaning{}},
	{`{"$tb":9223372036854775807}`, meaning{}}, // what a delete writes
	{`{}`, meaning{}},
	{`{"kind":{"$tb":5},"nothing":null}`, meaning{}},
	{`{"$acl":{"$r":"ann","$w":["ann","bob"],"$d":[]},"$maxCount":3}`, meaning{}},
	{`{"$cacheControl":10,"$tempStream":true,"$maxCount":1}`, meaning{}},
	{`{"$maxCount":-1,"$maxAge":0,"$tb":-5}`, meaning{}}, // as if they were not there
	{`{"$maxCount":"two","$tb":2}`, meaning{wrong: true}},
	{`{"$maxCount":1.5,"$tb":2}`, meaning{wrong: true}},
	{`{"$maxAge":null,"$tb":2}`, meaning{wrong: true}},
	{`{"$acl":{"read":["ann"]},"$tb":2}`, meaning{wrong: true}},
	{`{"$acl":{"$r":[null]},"$tb":2}`, meaning{wrong: true}},
	{`{"$acl":"ann","$tb":2}`, meaning{wrong: true}},
	{`{"$maxCount":1,"$tb":"2"}`, meaning{wrongTB: true}},
	{`{"$tb":9223372036854775808}`, meaning{wrongTB: true}},
	{`[1]`, meaning{}},
	{`null`, meaning{}},
	{`"x"`, meaning{}},
	{`{"$maxCount":1`, meaning{}},
	{`words`, meaning{}},
	{``, meaning{}},
}

// meaningOf is that of any event: most are no metadata.
func meaningOf(data []byte) meaning {
	for _, row := range metadata {
		if row.text != string(data) {
			continue
		}
		means := row.means
		d := json.NewDecoder(strings.NewReader(row.text))
		d.UseNumber()
		means.object = d.Decode(&means.fields) == nil && means.fields != nil
		return means
	}
	return meaning{}
}

// limits are those of an event that says whether it is JSON.
func (m meaning) limits(isJSON bool) limit {
	if !isJSON || !m.object || m.wrong || m.wrongTB {
		return limit{}
	}
	number := func(field string) uint64 {
		n, _ := m.fields[field].(json.Number)
		i, err := n.Int64()
		if err != nil {
			return 0
		}
		return uint64(max(i, 0))
	}
	return limit{tb: min(number("$tb"), math.MaxInt64), maxCount: number("$maxCount"), maxAge: number("$maxAge")}
}

// from is the same but for where the stream begins.
func (m meaning) from(revision uint64) (meaning, bool) {
	if !m.object {
		return m, false
	}
	fields := maps.Clone(m.fields)
	fields["$tb"] = json.Number(strconv.FormatUint(revision, 10))
	m.fields, m.wrongTB = fields, false
	return m, true
}

func (m meaning) text() string {
	b, err := json.Marshal(m.fields)
	if err != nil {
		panic(err)
	}
	return string(b)
}
