package apifuzz

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
)

// strange are values that break what was not expected.
func (m *maker) strange() any {
	switch m.random.IntN(6) {
	case 0:
		return m.strangeNumber()
	case 1:
		return pick(m.random, []any{nil, true, false, []any{}, map[string]any{}, []any{nil}, map[string]any{"": nil}, []any{[]any{[]any{}}}})
	case 2:
		return strings.Repeat(pick(m.random, []string{"x", "ü", "\u0000", "🧾", " "}), pick(m.random, []int{1, 64, 65, 255, 256, 501, 5_000, 70_000}))
	}
	return m.strangeText()
}

func (m *maker) strangeNumber() any {
	return pick(m.random, []any{
		0, -1, 1, math.MaxInt32, math.MinInt32, json.Number("9223372036854775807"), json.Number("-9223372036854775808"),
		json.Number("9223372036854775808"), json.Number("1e400"), json.Number("-0"), json.Number("1.0"), json.Number("0.1"),
		json.Number("1e3"), json.Number("123456789012345678901234567890"), 10_000, 9_999, 4.5,
	})
}

func (m *maker) strangeText() string {
	return pick(m.random, []string{
		"", " ", "\t", "\n", "\u0000", "a\u0000b", "\u007f", "\u202e", "\ufeff", "\ufffd", "é", "e\u0301", "ﬀ", "İ", "ß", "日本語", "🧾", "👩‍👩‍👧", "\U0010ffff",
		"-", "--", ".", "..", "../..", "/", "\\", "%", "%2F", "%00", "?", "#", "&", "a b", "a-b", "a.b", "a/b", "*", "$all", "$ce-order", "null", "true", "0", "-1",
		"00000000-0000-0000-0000-000000000000", "00000000-0000-5000-8000-000000000000", "' OR 1=1 --", "\"; DROP TABLE orders; --", "<script>alert(1)</script>",
		"{{.}}", "${x}", "%s%d%n", "1e999", "NaN", "-0", "+1", "0x10", "1_000", "9999999999999999999999", "2026-02-30T00:00:00Z", "0000-00-00T00:00:00Z",
		"9999-12-31T23:59:59.999999999Z", "2026-01-01", "1970-01-01T00:00:00+24:00", "EUR", "eur", "XXX", "JPY", "KWD", "sandbox:", "sandbox:nothing", "main",
	})
}

// mutate changes one place of a value to something that may not fit there. The
// value itself is left alone.
func (m *maker) mutate(value any) any {
	switch node := value.(type) {
	case map[string]any:
		if len(node) > 0 && m.chance(90) {
			return m.mutateObject(node)
		}
	case []any:
		if len(node) > 0 && m.chance(80) {
			return m.mutateArray(node)
		}
	case int, float64, json.Number:
		if m.chance(60) {
			return m.strangeNumber()
		}
	case string:
		if m.chance(50) {
			return m.strangeText()
		}
	}
	return m.strange()
}

func (m *maker) mutateObject(node map[string]any) any {
	changed := maps.Clone(node)
	name := pick(m.random, sortedKeys(node))
	switch m.random.IntN(8) {
	case 0:
		delete(changed, name)
	case 1:
		changed[pick(m.random, []string{"", "extra", name + "x", strings.ToUpper(name), "a.b", "a/b~c", "__proto__", "\u0000"})] = m.strange()
	default:
		changed[name] = m.mutate(node[name])
	}
	return changed
}

func (m *maker) mutateArray(node []any) any {
	changed := slices.Clone(node)
	at := m.random.IntN(len(node))
	switch m.random.IntN(8) {
	case 0:
		return slices.Delete(changed, at, at+1)
	case 1:
		return append(changed, changed[at])
	case 2:
		for range pick(m.random, []int{10, 199, 200, 2_001}) {
			changed = append(changed, node[at])
		}
		return changed
	}
	changed[at] = m.mutate(node[at])
	return changed
}

// brokenBody is a body that is no whole JSON value, or one too many.
func (m *maker) brokenBody(whole []byte) []byte {
	switch m.random.IntN(9) {
	case 0:
		return []byte{}
	case 1:
		return whole[:m.random.IntN(len(whole)+1)]
	case 2:
		return append(slices.Clone(whole), whole...)
	case 3:
		return []byte(strings.Repeat("[", pick(m.random, []int{1, 100, 10_001, 20_000})))
	case 4:
		return []byte(strings.Repeat(`{"a":`, 12_000) + "1" + strings.Repeat("}", 12_000))
	case 5:
		return []byte(pick(m.random, []string{"null", "[]", "{}", "0", `""`, "true", "{", "nul", "{'a':1}", `{"a":1,}`, "NaN", "\xff\xfe", "\ufeff{}", `{"a":"\ud800"}`, "\x00", "<a/>", "a=b&c=d"}))
	case 6:
		broken := slices.Clone(whole)
		if len(broken) > 0 {
			broken[m.random.IntN(len(broken))] = byte(m.random.IntN(256))
		}
		return broken
	case 7: // a member twice
		return []byte(strings.Replace(string(whole), "{", `{"sku":"A","sku":"B","currency":1,`, 1))
	}
	return []byte(strings.ReplaceAll(string(whole), `"`, "\"\xff"))
}
