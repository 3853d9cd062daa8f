package filter_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/webhooks/filter"
	"github.com/waybill-dev/waybill/webhooks/message"
)

func shipped() filter.Event {
	return filter.Event{
		Type: "order.payment_updated", Aggregate: "order", AggregateID: "o1", Detail: "captured",
		Attributes: &message.Attributes{
			Channel: "web", Currency: "EUR", Country: "DE", CustomerID: "c1", Number: "W-1", Source: "retail", Total: 12_50, Quantity: 3,
			SKUs: []string{"MUG-1", "TEA-7"},
		},
	}
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]bool{
		`true`:                                     true,
		`false`:                                    false,
		`type == "order.payment_updated"`:          true,
		`type.startsWith("order.")`:                true,
		`type in ["order.placed"]`:                 false,
		`detail == "captured"`:                     true,
		`aggregate_type == "order"`:                true,
		`aggregate_id == "o1"`:                     true,
		`channel == "web"`:                         true,
		`channel in ["shop", "phone"]`:             false,
		`currency == "EUR" && total >= 1000`:       true,
		`total > 1250`:                             false,
		`country != "DE"`:                          false,
		`customer_id == "c1"`:                      true,
		`number == "W-1"`:                          true,
		`source == ""`:                             false,
		`quantity == 3`:                            true,
		`"MUG-1" in skus`:                          true,
		`skus.exists(s, s.startsWith("TEA-"))`:     true,
		`skus.all(s, s.matches("^MUG-[0-9]$"))`:    false,
		`size(skus) == 2`:                          true,
		`size(skus) > 1 ? channel == "web" : true`: true,
	} {
		f, err := filter.Compile(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got := f.Match(shipped()); got != want {
			t.Errorf("%s: %v, want %v", expression, got, want)
		}
	}
}

func TestMistakesSayWhereAndWhat(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		``:                               "the expression is empty",
		`chanel == "web"`:                "line 1, column 1: undeclared reference to 'chanel' (did you mean 'channel'?); what there is: aggregate_id, aggregate_type, channel, country, currency, customer_id, detail, number, quantity, skus, source, total, type",
		`total == "12"`:                  "line 1, column 7: found no matching overload for '_==_' applied to '(int, string)'",
		"channel == \"web\" &&\n  total": "line 2, column 3: expected type 'bool' but found 'int'",
		`total`:                          "must say true or false, and is a int",
		`channel == `:                    "Syntax error",
		`total > 1.5`:                    "no matching overload",
		`[1, 2`:                          "Syntax error",
		`"` + strings.Repeat("x", 4000) + `" == channel`: "4013 bytes, 4000 are the most",
	} {
		err := filter.Check(expression)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", expression, err, want)
		}
	}
}

// What cannot be evaluated lets the message through, and says why to people.
func TestWhatCannotBeEvaluatedGoesThrough(t *testing.T) {
	t.Parallel()
	event := shipped()
	many := make([]string, 500)
	for i := range many {
		many[i] = strings.Repeat("x", 60)
	}
	for expression, cause := range map[string]string{
		`total / (quantity - 3) > 1`:                              "division by zero",
		`skus[7] == "MUG-1"`:                                      "index out of bounds",
		`int(channel) == 1`:                                       "type conversion error",
		`total * 9223372036854775807 > 1`:                         "overflow",
		`skus.all(a, skus.all(b, skus.all(c, a + b != c + "y")))`: "cost",
	} {
		f, err := filter.Compile(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		e := event
		if cause == "cost" {
			e.Attributes = &message.Attributes{SKUs: many}
		}
		if matched, err := f.Evaluate(e); err == nil || !strings.Contains(err.Error(), cause) {
			t.Errorf("%s: %v, %v", expression, matched, err)
		}
		if !f.Match(e) {
			t.Errorf("%s: did not go through", expression)
		}
	}
}

func TestWithoutAttributesOrFilter(t *testing.T) {
	t.Parallel()
	f, err := filter.Compile(`channel == "" && total == 0 && size(skus) == 0`)
	if err != nil || !f.Match(filter.Event{Type: "endpoint.disabled"}) {
		t.Errorf("an event without attributes: %v", err)
	}
	if !(*filter.Filter)(nil).Match(filter.Event{}) {
		t.Error("no filter held something back")
	}
}

func TestVariablesAreDescribed(t *testing.T) {
	t.Parallel()
	for _, v := range filter.Variables() {
		if v.Name == "" || v.Type == "" || v.About == "" {
			t.Errorf("%+v", v)
		}
		if err := filter.Check(v.Name + " == " + v.Name); err != nil {
			t.Error(err)
		}
	}
}

// TestWhatWouldTakeLongIsRefused: each of these took half a second at least, to
// compile or for every message, and lists in lists take for ever.
func TestWhatWouldTakeLongIsRefused(t *testing.T) {
	t.Parallel()
	for expression, cause := range map[string]string{
		`type.matches("` + strings.Repeat("a{1000}", 550) + `")`:                    "256 are the most",
		`type.matches("` + strings.Repeat("a{1000}", 36) + `")`:                     "too much work",
		`matches(type, "^((.?){999})$")`:                                            "too much work",
		`skus.exists(s, s.matches("(` + strings.Repeat("a{0,1000}|", 20) + `)*$"))`: "too much work",
		`skus.exists(s, type.matches(s))`:                                           "stands there as it is",
		`type.matches("a" + "b")`:                                                   "stands there as it is",
		`type.matches("(")`:                                                         "cannot be read",
		`[[1]]` + strings.Repeat(".map(x, [x, x])", 60) + `.all(x, x == x)`:         "no lists",
		`[{1: 1}].map(x, {1: [x, x]}).all(x, x == x)`:                               "no maps",
		`skus.map(x, [x, x]).exists(x, x == x)`:                                     "no lists",
		`[dyn(skus)].all(x, x == x)`:                                                "no lists",
		`[google.protobuf.Value{string_value: "a"}].all(x, x == x)`:                 "no lists",
		`google.protobuf.ListValue{values: ["a"]} == google.protobuf.ListValue{}`:   "no lists",
	} {
		if err := filter.Check(expression); err == nil || !strings.Contains(err.Error(), cause) {
			t.Errorf("%.60s: %v, want %q", expression, err, cause)
		}
	}
	for _, expression := range []string{
		`type.matches("^order\\.(placed|shipped)$")`, `skus.exists(s, s.matches("^MUG-[0-9]{1,20}$"))`, `!matches(number, r"^W-\d+$")`,
		`skus == []`, `[] == skus || size([]) == 0`, `skus.map(s, s + "-").filter(s, s != "").exists_one(s, s == "MUG-1-")`, `total > {"web": 100, "shop": 50}[channel]`,
		`{} == {"a": 1}`, `dyn(skus) == dyn(skus)`, `(total > 5 ? skus : []) == ["MUG-1"]`, `skus + ["A"] != []`, `timestamp("2026-01-01T00:00:00Z") in [timestamp("2026-01-01T00:00:00Z")]`,
	} {
		if err := filter.Check(expression); err != nil {
			t.Errorf("%s: %v", expression, err)
		}
	}
}

// FuzzCompile wants an answer or an error for whatever somebody writes, and
// the same answer each time.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`channel == "web"`, `skus.exists(s, s == "MUG-1")`, `total / 0 == 1`, `[1,2,3].map(x, x * total).exists(y, y > 3)`,
		`{"a": total}["b"] > 1`, `type.matches("(a+)+$")`, `timestamp("2026-01-01T00:00:00Z") < timestamp("x")`, "\x00", `a.b.c`, `has(channel.x)`,
		`skus.map(s, skus.map(t, s + t)).size() > 3`, `type.matches("(.?){999}")`, `skus.exists(s, s.matches("a{1000}" + s))`, `"" in skus ? true : dyn(total)`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		compiled, err := filter.Compile(expression)
		if err != nil {
			if err.Error() == "" {
				t.Error("a mistake without words")
			}
			return
		}
		first, firstErr := compiled.Evaluate(shipped())
		again, againErr := compiled.Evaluate(shipped())
		if first != again || (firstErr == nil) != (againErr == nil) {
			t.Errorf("%q: %v (%v), then %v (%v)", expression, first, firstErr, again, againErr)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	f, err := filter.Compile(`channel == "web" && total >= 1000 && "MUG-1" in skus`)
	if err != nil {
		b.Fatal(err)
	}
	event := shipped()
	b.ReportAllocs()
	for b.Loop() {
		if !f.Match(event) {
			b.Fatal("no match")
		}
	}
}
