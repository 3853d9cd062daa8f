package database

import (
	"database/sql/driver"
	"strings"
)

// Words are those of a document, for a column that is searched: FTS5's in
// SQLite, a tsvector in Postgres. They are kept as they are: whoever makes them
// decides what a word is. In SQLite they hold only what its tokenizer takes for
// parts of a word.
type Words []string

// Value implements [driver.Valuer], for SQLite.
func (w Words) Value() (driver.Value, error) { return strings.Join(w, " "), nil }

// tsvector is the same for Postgres.
func (w Words) tsvector() string { return quotedWords(w, `'`, " ") }

// Match is what is searched: documents with all of some words, at least one,
// and none of others. It is the argument of MATCH ?.
type Match struct{ All, None []string }

// Value implements [driver.Valuer], for SQLite. A word in quotes is no syntax.
func (m Match) Value() (driver.Value, error) {
	text := "(" + quotedWords(m.All, `"`, " AND ") + ")"
	if len(m.None) > 0 {
		text += " NOT " + quotedWords(m.None, `"`, " NOT ")
	}
	return text, nil
}

// tsquery is the same for Postgres.
type tsquery string

func (m Match) tsquery() tsquery {
	text := quotedWords(m.All, `'`, " & ")
	if len(m.None) > 0 {
		text += " & !" + quotedWords(m.None, `'`, " & !")
	}
	return tsquery(text)
}

func quotedWords(words []string, quote, between string) string {
	var b strings.Builder
	for i, word := range words {
		if i > 0 {
			b.WriteString(between)
		}
		word = strings.ReplaceAll(word, quote, quote+quote)
		if quote == `'` {
			word = strings.ReplaceAll(word, `\`, `\\`)
		}
		b.WriteString(quote + word + quote)
	}
	return b.String()
}
