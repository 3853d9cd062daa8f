package api

import (
	"context"
	"database/sql"
	"net/url"
	"slices"
	"time"
)

// Paging is how a list is read page by page. It is exported because huma looks
// into nothing else.
type Paging struct {
	Fresh

	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"How many on a page."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before, with the same filters." maxLength:"500"`
}

// pager reads and writes the cursors of one list with its filters.
type pager struct {
	server  *server
	path    string
	filters url.Values
	whose   string // where not everybody sees the same
	in      Paging
}

// paged makes the pager of a request; filters that are empty are none.
func (s *server) paged(path string, in Paging, filters map[string]string) pager {
	values := url.Values{}
	for name, value := range filters {
		if value != "" {
			values.Set(name, value)
		}
	}
	return pager{server: s, path: path, filters: values, in: in}
}

// scope is what a cursor is good for.
func (p pager) scope() string { return p.path + "?" + p.filters.Encode() + "#" + p.whose }

// begin reads where the last page ended into place, and reports whether there
// was one.
func (p pager) begin(place any) (bool, error) {
	if p.in.Cursor == "" {
		return false, nil
	}
	if err := p.server.cursors.decode(p.in.Cursor, p.scope(), place); err != nil {
		return false, p.server.refuse(kindBadCursor, err.Error())
	}
	return true, nil
}

// next returns the cursor of the next page, and the link to it.
func (p pager) next(place any) (cursor, link string, err error) {
	cursor, err = p.server.cursors.encode(p.scope(), place)
	return cursor, nextLink(p.path, p.filters, p.in.Limit, cursor), err
}

// list is how one page of a list is read: from where the page before ended, P,
// come rows, R, which are shown as B.
type list[P, R, B any] struct {
	pages pager
	model *sql.DB                                                     // that is waited for; nil where the rows are never behind
	rows  func(ctx context.Context, after *P, limit int) ([]R, error) // after nothing: the first page
	place func(R) P
	body  func(R) B
}

// page is what a list answers.
type page[B any] struct {
	Reached Reached
	Link    string
	Body    pageBody[B]
}

type pageBody[B any] struct {
	Items []B
	Next  string // empty on the last page
}

// read reads the page that a request asks for.
func (l list[P, R, B]) read(ctx context.Context) (p page[B], err error) {
	var after *P
	var place P
	if there, err := l.pages.begin(&place); err != nil {
		return p, err
	} else if there {
		after = &place
	}
	if l.model != nil {
		if p.Reached, err = l.pages.server.await(ctx, l.model, l.pages.in.Fresh); err != nil {
			return p, err
		}
	}
	rows, err := l.rows(ctx, after, l.pages.in.Limit+1)
	if err != nil {
		return p, err
	}
	rows, last := cut(rows, l.pages.in.Limit)
	p.Body.Items = each(rows, l.body)
	if last != nil {
		p.Body.Next, p.Link, err = l.pages.next(l.place(*last))
	}
	return p, err
}

// keyOf is where a page begins as a read model knows it; nil is the first page.
func keyOf[P, K any](after *P, key func(P) K) *K {
	if after == nil {
		return nil
	}
	return new(key(*after))
}

// orFirst is where a page begins, in lists whose first page is behind nothing.
func orFirst[P any](after *P) P {
	if after == nil {
		return *new(P)
	}
	return *after
}

// cut takes off what was read only to see whether there is more, and returns
// the last row of the page where there is.
func cut[R any](rows []R, limit int) (page []R, last *R) {
	if len(rows) <= limit {
		return rows, nil
	}
	return slices.Clip(rows[:limit]), &rows[limit-1]
}

// timePlace is where a page ended that is sorted by a time and ids.
type timePlace struct {
	At  int64    `json:"at"` // milliseconds since 1970
	IDs []string `json:"id"`
}

func placeAt(at time.Time, ids ...string) timePlace { return timePlace{At: at.UnixMilli(), IDs: ids} }

func (p timePlace) time() time.Time { return time.UnixMilli(p.At) }
