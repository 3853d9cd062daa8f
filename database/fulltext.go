package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
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

// FullText returns what to run before many rows are written to a table that is
// searched, and what after them; nothing where that makes no difference. FTS5
// merges what it writes again and again, so that there are never many pieces to
// look into; it does so once when it is told to, and then there is one.
func (db *DB) FullText(ctx context.Context, tx *sql.Tx, table string) (before, after string, err error) {
	if db.server != nil {
		return "", "", nil
	}
	var one int
	err = tx.QueryRowContext(ctx, `SELECT 1 FROM sqlite_schema WHERE name = ? AND sql LIKE 'CREATE VIRTUAL TABLE % USING fts5%'`, table).Scan(&one)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", "", nil
	case err != nil:
		return "", "", fmt.Errorf("look at table %s: %w", table, err)
	}
	set := func(name string, value int) string {
		return fmt.Sprintf("INSERT INTO %s (%s, rank) VALUES ('%s', %d);", table, table, name, value)
	}
	// Numbers of FTS5: bytes, and pieces of one size; those after are its own.
	return set("hashsize", 32<<20) + set("automerge", 0) + set("crisismerge", 64),
		set("hashsize", 1<<20) + set("automerge", 4) + set("crisismerge", 16) + fmt.Sprintf("INSERT INTO %s (%s) VALUES ('optimize')", table, table), nil
}
