package lineartest_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/node/lineartest"
)

// A seen is a request and its answer, nil for none.
type seen struct {
	request lineartest.Request
	answer  *lineartest.Answer
}

// TestCheck has each request sent after the one before was answered.
func TestCheck(t *testing.T) {
	t.Parallel()
	write := func(expected int64, ids ...string) lineartest.Request {
		return lineartest.Request{Kind: lineartest.Append, Expected: expected, IDs: ids}
	}
	at := func(revision int64) *lineartest.Answer { return &lineartest.Answer{Revision: revision} }
	wrong := func(revision int64) *lineartest.Answer {
		return &lineartest.Answer{Refusal: lineartest.Wrong, Revision: revision}
	}
	read := lineartest.Request{}
	found := func(first int64, ids ...string) *lineartest.Answer {
		return &lineartest.Answer{First: first, IDs: ids}
	}
	missing := &lineartest.Answer{Refusal: lineartest.Missing}
	remove := lineartest.Request{Kind: lineartest.Delete, Expected: lineartest.Any}
	end := lineartest.Request{Kind: lineartest.Tombstone, Expected: lineartest.Any}
	truncate := func(from int64) lineartest.Request { return lineartest.Request{Kind: lineartest.Truncate, From: from} }
	done := at(lineartest.Unknown)
	for name, row := range map[string]struct {
		seen []seen
		ok   bool
	}{
		"read what was appended":       {[]seen{{write(-1, "a"), at(0)}, {write(0, "b", "c"), at(2)}, {read, found(0, "a", "b", "c")}}, true},
		"read what was before":         {[]seen{{write(-1, "a"), at(0)}, {write(0, "b"), at(1)}, {read, found(0, "a")}}, false},
		"read what never was":          {[]seen{{write(-1, "a"), at(0)}, {read, found(0, "x")}}, false},
		"found nothing too late":       {[]seen{{write(-1, "a"), at(0)}, {read, missing}}, false},
		"found half of an append":      {[]seen{{write(-1, "a", "b"), nil}, {read, found(0, "a")}}, false},
		"a repeat":                     {[]seen{{write(-1, "a"), at(0)}, {write(-2, "b"), at(1)}, {write(-1, "a"), at(0)}, {write(-2, "b"), at(1)}}, true},
		"a repeat stored twice":        {[]seen{{write(-2, "a"), at(0)}, {write(-2, "a"), at(1)}}, false},
		"two at one revision":          {[]seen{{write(-1, "a"), at(0)}, {write(-1, "b"), at(0)}}, false},
		"refused rightly":              {[]seen{{write(-1, "a"), at(0)}, {write(-1, "b"), wrong(0)}}, true},
		"refused wrongly":              {[]seen{{write(-1, "a"), at(0)}, {write(0, "b"), wrong(0)}}, false},
		"no answer, stored":            {[]seen{{write(-1, "a"), nil}, {read, found(0, "a")}}, true},
		"no answer, not stored":        {[]seen{{write(-1, "a"), nil}, {read, missing}}, true},
		"no answer, seen, then gone":   {[]seen{{write(-1, "a"), nil}, {read, found(0, "a")}, {read, missing}}, false},
		"deleted and written again":    {[]seen{{write(-1, "a"), at(0)}, {remove, at(0)}, {read, missing}, {write(-1, "b"), at(1)}, {read, found(1, "b")}}, true},
		"deleted, but old ones shown":  {[]seen{{write(-1, "a"), at(0)}, {remove, at(0)}, {write(-2, "b"), at(1)}, {read, found(0, "a", "b")}}, false},
		"deleted for ever":             {[]seen{{end, at(-1)}, {write(-2, "a"), &lineartest.Answer{Refusal: lineartest.Deleted}}}, true},
		"deleted for ever and written": {[]seen{{end, at(-1)}, {write(-2, "a"), at(0)}}, false},
		"deleted before it was there":  {[]seen{{remove, at(-1)}}, false},
		"truncated":                    {[]seen{{write(-1, "a", "b"), at(1)}, {truncate(1), done}, {read, found(1, "b")}, {truncate(0), done}, {read, found(0, "a", "b")}}, true},
		"truncated in vain":            {[]seen{{write(-1, "a", "b"), at(1)}, {truncate(1), done}, {read, found(0, "a", "b")}}, false},
		"truncated behind its end":     {[]seen{{write(-1, "a"), at(0)}, {truncate(5), done}, {read, found(0)}, {write(0, "b"), at(1)}, {read, found(0)}}, true},
		"hidden is not missing":        {[]seen{{write(-1, "a"), at(0)}, {truncate(5), done}, {read, missing}}, false},
		"brought back by metadata":     {[]seen{{write(-1, "a"), at(0)}, {remove, at(0)}, {truncate(0), done}, {read, found(0)}, {write(0, "b"), at(1)}, {read, found(1, "b")}}, true},
		"truncated for ever":           {[]seen{{end, at(-1)}, {truncate(0), &lineartest.Answer{Refusal: lineartest.Deleted}}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var h lineartest.History
			for _, s := range row.seen {
				answered := h.Begin(0, s.request)
				time.Sleep(time.Microsecond) // moments that are equal count as overlapping
				if s.answer != nil {
					answered(*s.answer)
				}
				time.Sleep(time.Microsecond)
			}
			if err := h.Check(10 * time.Second); (err == nil) != row.ok {
				t.Errorf("the check says %v", err)
			}
		})
	}
}
