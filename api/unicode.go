package api

import (
	"bytes"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// unicodeText reports whether all text of a document is Unicode. Where it is
// not, decoding puts the same character for whatever cannot be read, so that two
// names become one: what has an order already would be taken for its repeat.
func unicodeText(document []byte) bool {
	if !utf8.Valid(document) {
		return false
	}
	if !bytes.Contains(document, []byte(`\u`)) { // half of a pair, say
		return true
	}
	text, twice := jsontext.Value(document), jsontext.AllowDuplicateNames(true)
	return text.IsValid(twice) || !text.IsValid(twice, jsontext.AllowInvalidUTF8(true))
}

// notUnicode is why a document cannot be read.
const notUnicode = "the body has text that is not Unicode: send it as UTF-8"

// byteOrderMark is what some programs begin a text with.
var byteOrderMark = []byte("\xef\xbb\xbf")
