package projections_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/projections"
)

// searched are the texts that random orders are made of, nasty ones among them.
func searched() (skus, titles, tags []string) {
	return []string{"MUG-1", "22423", "85123A", "tea.pot/2", `O'NEIL"S`, "ÄÖ-7"},
		[]string{"White hanging heart", "Café crème", "T-LIGHT HOLDER", "heart of glass", `"quoted" AND NOT near`, "чашка", "100% wool*", "it's", `back\slash`, "naïve ｆｕｌｌwidth"},
		[]string{"gift", "late", "VIP-2", "white"}
}

// searchHistory records n orders with what happens to some of them.
func searchHistory(tb testing.TB, random *rand.Rand, n int) *history {
	tb.Helper()
	skus, titles, tags := searched()
	one := func(of []string) string { return of[random.IntN(len(of))] }
	h := newHistory(tb)
	for i := range n {
		id, stream := fmt.Sprint("o", i), fmt.Sprint("order-o", i)
		e := placed(id, fmt.Sprint(100_000+i), one(skus), 1+random.IntN(3))
		e.CustomerID, e.PlacedAt = fmt.Sprint("customer-", random.IntN(3)), historyStart.Add(time.Duration(random.IntN(n))*time.Second)
		for l := range e.Lines {
			e.Lines[l].SKU, e.Lines[l].Title = one(skus), one(titles)
		}
		if random.IntN(4) == 0 {
			e.External = order.External{Source: "shop", Ref: fmt.Sprint("EXT-", i), Time: historyStart}
		}
		h.record(stream, id, e)
	}
	for range n {
		i := random.IntN(n)
		id, stream := fmt.Sprint("o", i), fmt.Sprint("order-o", i)
		switch random.IntN(5) {
		case 0:
			h.record(stream, id, order.OrderTagged{OrderID: id, Add: []string{one(tags)}})
		case 1:
			h.record(stream, id, order.OrderTagged{OrderID: id, Remove: []string{one(tags)}})
		case 2:
			h.record(stream, id, order.OrderHeld{OrderID: id, HoldID: "h", Reason: order.HoldManual})
		case 3:
			h.record(stream, id, order.OrderEdited{OrderID: id, Changes: []order.Change{{LineID: "1", SKU: one(skus), Title: one(titles), QuantityFrom: 2, QuantityTo: random.IntN(3)}}})
		default:
			h.record(stream, id, order.OrderNoteAdded{OrderID: id})
		}
	}
	return h
}

// searchModel is what a search has to find, told from the events alone.
type searchModel struct {
	id       string
	placedAt time.Time
	state    order.State
	texts    []string
	customer string
	skus     []string
}

func modelOf(h *history) (all []*searchModel) {
	byID := map[string]*searchModel{}
	lines := map[string]map[string][2]string{}
	for _, r := range h.events {
		event, _ := r.Decode()
		id := strings.TrimPrefix(r.Stream, "order-")
		switch e := event.(type) {
		case order.OrderPlaced:
			m := &searchModel{id: id, placedAt: e.PlacedAt, customer: e.CustomerID, texts: []string{e.Number, e.External.Ref}}
			byID[id], all = m, append(all, m)
			lines[id] = map[string][2]string{}
			for _, l := range e.Lines {
				lines[id][l.LineID] = [2]string{l.SKU, l.Title}
			}
		case order.OrderEdited:
			for _, c := range e.Changes {
				if delete(lines[id], c.LineID); c.QuantityTo > 0 {
					lines[id][c.LineID] = [2]string{c.SKU, c.Title}
				}
			}
		}
		byID[id].state = order.Decider.Evolve(byID[id].state, event.(order.Event))
	}
	for _, m := range all {
		for _, l := range lines[m.id] {
			m.skus, m.texts = append(m.skus, l[0]), append(m.texts, l[0], l[1])
		}
		m.texts = append(m.texts, m.state.Tags...)
	}
	return all
}

// has tells whether a text of the order has a word, in the plainest way.
func (m *searchModel) has(word string) bool {
	for _, text := range m.texts {
		for chunk := range strings.FieldsSeq(plain(text)) {
			parts := strings.FieldsFunc(chunk, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
			if slices.Contains(parts, word) || strings.Join(parts, "") == word {
				return true
			}
		}
	}
	return false
}

// plain takes accents and capitals away from the letters that these tests use.
func plain(text string) string {
	return strings.NewReplacer("é", "e", "è", "e", "ï", "i", "ä", "a", "ö", "o", "ｆ", "f", "ｕ", "u", "ｌ", "l").Replace(strings.ToLower(text))
}

// Both engines find what a plain comparison finds, for whatever is looked for.
func TestASearchFindsWhatOrdersSay(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		for seed := range e.Rounds(20) {
			random := rand.New(rand.NewPCG(seed, 3))
			h := searchHistory(t, random, 40)
			q := projections.SearchQueries{DB: fill(t, h, projections.Search{}, e).Read()}
			model := modelOf(h)
			for range 60 {
				text, filter := randomSearch(random)
				match, err := projections.ParseSearch(text)
				if err != nil {
					continue
				}
				var want []string
				for _, m := range model {
					if m.fits(match, filter) {
						want = append(want, m.id)
					}
				}
				got := found(t, q, match, filter, 1+random.IntN(20))
				inOrder := slices.IsSortedFunc(got, func(a, b string) int {
					byTime := modelAt(model, a).Compare(modelAt(model, b))
					if filter.OldestFirst {
						return byTime
					}
					return -byTime
				})
				slices.Sort(want)
				sorted := slices.Sorted(slices.Values(got))
				if diff := cmp.Diff(want, sorted); diff != "" || !inOrder {
					t.Fatalf("seed %d: %q with %+v (-want +got), in order %t:\n%s", seed, text, filter, inOrder, diff)
				}
			}
		}
	})
}

func modelAt(model []*searchModel, id string) time.Time {
	return model[slices.IndexFunc(model, func(m *searchModel) bool { return m.id == id })].placedAt
}

func (m *searchModel) fits(match database.Match, f projections.OrderFilter) bool {
	return !slices.ContainsFunc(match.All, func(w string) bool { return !m.has(w) }) && !slices.ContainsFunc(match.None, m.has) &&
		(f.Status == "" || f.Status == string(m.state.Status)) && (f.CustomerID == "" || f.CustomerID == m.customer) &&
		(f.SKU == "" || slices.Contains(m.skus, f.SKU)) && (f.Tag == "" || slices.Contains(m.state.Tags, f.Tag)) &&
		(f.PlacedFrom.IsZero() || !m.placedAt.Before(f.PlacedFrom)) && (f.PlacedTo.IsZero() || m.placedAt.Before(f.PlacedTo))
}

func randomSearch(random *rand.Rand) (string, projections.OrderFilter) {
	skus, titles, tags := searched()
	var text []string
	for range 1 + random.IntN(3) {
		all := strings.Fields(strings.Join(slices.Concat(skus, titles, tags, []string{"100007", "EXT-3", "nothing"}), " "))
		word := all[random.IntN(len(all))]
		if random.IntN(4) == 0 {
			word = "-" + word
		}
		text = append(text, word)
	}
	var f projections.OrderFilter
	for _, set := range []func(){
		func() { f.Status = "on_hold" },
		func() { f.CustomerID = "customer-1" },
		func() { f.SKU = skus[random.IntN(len(skus))] },
		func() { f.Tag = tags[random.IntN(len(tags))] },
		func() { f.PlacedFrom = historyStart.Add(10 * time.Second) },
		func() { f.PlacedTo = historyStart.Add(30 * time.Second) },
		func() { f.OldestFirst = true },
	} {
		if random.IntN(6) == 0 {
			set()
		}
	}
	return strings.Join(text, " "), f
}

// found reads all pages.
func found(t *testing.T, q projections.SearchQueries, what database.Match, filter projections.OrderFilter, limit int) (ids []string) {
	t.Helper()
	for after := int64(0); ; {
		page, err := q.Orders(t.Context(), what, filter, after, limit)
		if err != nil {
			t.Fatalf("%+v: %v", what, err)
		}
		for _, f := range page {
			ids, after = append(ids, f.OrderID), f.Place
		}
		if len(page) < limit {
			return ids
		}
	}
}

func TestOrdersOfTheSameMomentAreAllFound(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		h := newHistory(t)
		const n = 3000 // some two of which agree in all bits of their numbers
		for i := range n {
			h.record(fmt.Sprint("order-o", i), "c", placed(fmt.Sprint("o", i), fmt.Sprint(i), "A", 1))
		}
		r := fill(t, h, projections.Search{}, e)
		if err := r.Apply(t.Context(), h.page(projections.Search{}, 0, n)); err != nil {
			t.Fatal(err)
		}
		what, err := projections.ParseSearch("hanging")
		if err != nil {
			t.Fatal(err)
		}
		ids := found(t, projections.SearchQueries{DB: r.Read()}, what, projections.OrderFilter{}, 200)
		if slices.Sort(ids); len(slices.Compact(ids)) != n {
			t.Errorf("%d of %d orders are found", len(ids), n)
		}
	})
}

func TestWhatIsLookedForIsJudged(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"":                    projections.ErrNothingToSearch,
		"-late":               projections.ErrNothingToSearch,
		`"*" : ^ ()`:          projections.ErrNothingToSearch,
		"mug ada@example.com": projections.ErrPersonal,
		strings.Repeat("a b c d e f ", 1) + "g h i j k": projections.ErrTooManyWords,
		"white -late": nil,
	} {
		if _, err := projections.ParseSearch(text); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	got, err := projections.ParseSearch(`MUG-1 Café NEAR(x) mug-1 -"gift" OR*`)
	want := database.Match{All: []string{"mug1", "cafe", "nearx", "or"}, None: []string{"gift"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("(-want +got), %v:\n%s", err, diff)
	}
}

// FuzzSearch looks for anything: what is looked for is never a mistake of the
// engine's, and never its syntax.
func FuzzSearch(f *testing.F) {
	for _, text := range []string{`a" OR "b`, "a*", "NEAR(a b)", "a AND NOT b", "{a}:b", "^a", "-", "a\x00b", "\xff", "a'b", `a\b`, "text : a", "İ", "ﬁ", strings.Repeat("x", 300)} {
		f.Add(text)
	}
	e := databasetest.SQLite(f)
	h := searchHistory(f, rand.New(rand.NewPCG(1, 1)), 10)
	r := h.open(projections.Search{}, e)
	f.Cleanup(func() { _ = r.Close() })
	if err := r.Apply(f.Context(), h.page(projections.Search{}, 0, len(h.events))); err != nil {
		f.Fatal(err)
	}
	q := projections.SearchQueries{DB: r.Read()}
	f.Fuzz(func(t *testing.T, text string) {
		match, err := projections.ParseSearch(text)
		if err != nil {
			return
		}
		for _, word := range slices.Concat(match.All, match.None) {
			if word == "" || strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
				t.Errorf("%q has the word %q", text, word)
			}
		}
		all, err := q.Orders(t.Context(), match, projections.OrderFilter{}, 0, 100)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		without := database.Match{All: append([]string{"100003"}, match.All...), None: match.None}
		fewer, err := q.Orders(t.Context(), without, projections.OrderFilter{}, 0, 100)
		if err != nil || len(fewer) > len(all) || len(fewer) > 1 {
			t.Errorf("%q finds %d, and %d with one more word, %v", text, len(all), len(fewer), err)
		}
	})
}
