package database

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Rows is a statement about rows whose number is not known before. It is written
// as for one: Before VALUES Row Behind, where Row has a ? for each value.
type Rows struct{ Before, Row, Behind string }

// mostAtOnce is how many rows go to Postgres in one statement.
const mostAtOnce = 2048

// Together tells whether statements are sent together, so that [Batch.ExecRows]
// is of use: on Postgres.
func (b *Batch) Together() bool { return b.together }

// ExecRows is [Batch.Exec] for many rows, whose values stand one after the
// other: each column goes as one array, which costs Postgres a fraction of as
// many statements or parameters, and unlike COPY leaves it to the statement what
// is to become of rows that are there. The values of a column are of one kind.
func (b *Batch) ExecRows(ctx context.Context, rows Rows, values []any) error {
	columns := strings.Count(rows.Row, "?")
	for len(values) > 0 {
		n := min(len(values), mostAtOnce*columns)
		arrays, kinds, err := arraysOf(values[:n], columns)
		if err != nil {
			return err
		}
		if err := b.Exec(ctx, rows.unnested(kinds), arrays...); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// kind is a type of column, as Postgres names it, and that of the arrays which
// it is read from.
type kind struct{ name, array string }

//nolint:gochecknoglobals // they do not change
var (
	kindNumber = kind{"BIGINT", "BIGINT[]"}
	kindText   = kind{"TEXT", "TEXT[]"}
	kindWords  = kind{"TSVECTOR", "TEXT[]"}
)

// unnested is the statement for arrays. It is the same text for any number of
// rows.
func (r Rows) unnested(kinds []kind) string {
	var row, arrays, names strings.Builder
	rest := strings.TrimSuffix(strings.TrimPrefix(r.Row, "("), ")")
	for i, k := range kinds {
		before, behind, _ := strings.Cut(rest, "?")
		column, comma := "c"+strconv.Itoa(i+1), ", "
		if i == 0 {
			comma = ""
		}
		row.WriteString(before + "CAST(u." + column + " AS " + k.name + ")")
		arrays.WriteString(comma + "CAST(? AS " + k.array + ")")
		names.WriteString(comma + column)
		rest = behind
	}
	return r.Before + " SELECT " + row.String() + rest + " FROM unnest(" + arrays.String() + ") AS u (" + names.String() + ") " + r.Behind
}

// arraysOf turns rows into columns.
func arraysOf(values []any, columns int) (arrays []any, kinds []kind, err error) {
	for c := range columns {
		var numbers []int64
		var texts []string
		k, n := kindNumber, len(values)/columns
		switch values[c].(type) {
		case string:
			k, texts = kindText, make([]string, 0, n)
		case Words:
			k, texts = kindWords, make([]string, 0, n)
		default:
			numbers = make([]int64, 0, n)
		}
		for at := c; at < len(values); at += columns {
			value, err := postgresValue(values[at])
			if err != nil {
				return nil, nil, fmt.Errorf("column %d: %w", c+1, err)
			}
			switch v := value.(type) {
			case int64:
				numbers = append(numbers, v)
			case truth:
				number, _ := v.Int64Value() // never fails
				numbers = append(numbers, number.Int64)
			case string:
				texts = append(texts, v)
			default:
				return nil, nil, fmt.Errorf("column %d: no array is made of %T", c+1, value)
			}
		}
		if len(numbers)+len(texts) != n || k == kindNumber && len(texts) > 0 {
			return nil, nil, fmt.Errorf("column %d: its values are of different kinds", c+1)
		}
		if kinds = append(kinds, k); k == kindNumber {
			arrays = append(arrays, array{numbers})
		} else {
			arrays = append(arrays, array{texts})
		}
	}
	return arrays, kinds, nil
}

// array is an argument that goes to Postgres as it is.
type array struct{ values any }
