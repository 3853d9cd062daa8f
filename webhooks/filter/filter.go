// Package filter lets an endpoint choose messages by an expression over their
// public attributes, such as
//
//	channel == "web" && total >= 10000 && "MUG-1" in skus
//
// The language is CEL, https://cel.dev: it has no loops, no side effects, and
// nothing to reach the outside by. An expression is checked against the types
// of the attributes when it is compiled, and each evaluation may cost so much
// and no more; regular expressions are small and stand there as they are, and lists
// hold no lists. The package promises that the same expression and attributes
// give the same answer for ever, and that a match never fails: what cannot be
// evaluated lets the message through, because a partner rather gets one too
// many than misses one.
package filter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/waybill-dev/waybill/webhooks/message"
)

// MaxLength is how long an expression may be, in bytes.
const MaxLength = 4000

// mostCost bounds one evaluation, in CEL's units: a look at an attribute is
// one. An order of 200 lines can be searched ten times.
const mostCost = 20_000

// Event is what an expression sees of a message.
type Event struct {
	Type        string
	Aggregate   string
	AggregateID string
	*message.Attributes
	Detail string
}

// Variable describes an attribute for people.
type Variable struct{ Name, Type, About string }

type variable struct {
	Variable
	of *cel.Type
	// value is that of an event; of the types CEL knows without asking.
	value func(*Event) any
}

func variables() []variable {
	text := func(name, about string, value func(*Event) string) variable {
		return variable{Variable{name, "string", about}, cel.StringType, func(e *Event) any { return value(e) }}
	}
	number := func(name, about string, value func(*Event) int64) variable {
		return variable{Variable{name, "int", about}, cel.IntType, func(e *Event) any { return value(e) }}
	}
	return []variable{
		text("type", "the type of the message, such as order.shipped", func(e *Event) string { return e.Type }),
		text("aggregate_type", "what it is about: order, checkout, product, customer, creditnote or endpoint", func(e *Event) string { return e.Aggregate }),
		text("aggregate_id", "the id of what it is about", func(e *Event) string { return e.AggregateID }),
		text("detail", "what kind of it: of order.payment_updated the kind, of order.held the reason, of order.return_requested the kind, of the other types the reason, or empty", func(e *Event) string { return e.Detail }),
		text("channel", "the sales channel of the order; empty for the shop itself", func(e *Event) string { return e.Channel }),
		text("currency", "of the order or credit note, ISO 4217", func(e *Event) string { return e.Currency }),
		text("country", "where the order goes, ISO 3166, as of the message; may be empty", func(e *Event) string { return e.Country }),
		text("customer_id", "the pseudonym of the customer", func(e *Event) string { return e.CustomerID }),
		text("number", "the order's number", func(e *Event) string { return e.Number }),
		text("source", "where an imported order or credit note came about; empty for others", func(e *Event) string { return e.Source }),
		number("total", "what the order costs, as edited, in minor units such as cents", func(e *Event) int64 { return e.Total }),
		number("quantity", "how many units the order has, as edited", func(e *Event) int64 { return e.Quantity }),
		{
			Variable{"skus", "list(string)", "the SKUs of the order's lines, as edited, sorted, each once; of a product its own"},
			cel.ListType(cel.StringType), func(e *Event) any { return e.SKUs },
		},
	}
}

// Variables returns the attributes an expression may use.
func Variables() []Variable {
	var list []Variable
	for _, v := range variables() {
		list = append(list, v.Variable)
	}
	return list
}

// language is the environment of all expressions; it is made once.
type language struct {
	*cel.Env
	byName map[string]func(*Event) any
}

var theLanguage = sync.OnceValues(func() (language, error) {
	l := language{byName: map[string]func(*Event) any{}}
	options := []cel.EnvOption{cel.ParserRecursionLimit(64), cel.ParserExpressionSizeLimit(MaxLength)}
	for _, v := range variables() {
		options = append(options, cel.Variable(v.Name, v.of))
		l.byName[v.Name] = v.value
	}
	var err error
	l.Env, err = cel.NewEnv(options...)
	return l, err
})

// Filter is a compiled expression. It is safe for concurrent use.
type Filter struct {
	program  cel.Program
	language language
}

// Compile checks an expression. The error says for people what is wrong and
// where.
func Compile(expression string) (*Filter, error) {
	if len(expression) > MaxLength {
		return nil, fmt.Errorf("the expression has %d bytes, %d are the most", len(expression), MaxLength)
	}
	if strings.TrimSpace(expression) == "" {
		return nil, errors.New("the expression is empty; leave it out to let everything through")
	}
	l, err := theLanguage()
	if err != nil {
		return nil, fmt.Errorf("make the language of filters: %w", err)
	}
	ast, issues := l.Compile(expression)
	if issues != nil && issues.Err() != nil {
		return nil, explain(issues)
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("the expression must say true or false, and is a %s: compare it with something", ast.OutputType())
	}
	if err := errors.Join(checkNested(ast), checkPatterns(ast)); err != nil {
		return nil, err
	}
	program, err := l.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(mostCost))
	if err != nil {
		return nil, fmt.Errorf("the expression cannot be used: %w", err)
	}
	return &Filter{program: program, language: l}, nil
}

// Check says what is wrong with an expression, nil where nothing is.
func Check(expression string) error {
	_, err := Compile(expression)
	return err
}

// explain says where and what, one sentence for each mistake.
func explain(issues *cel.Issues) error {
	var texts []string
	for _, e := range issues.Errors() {
		text := fmt.Sprintf("line %d, column %d: %s", e.Location.Line(), e.Location.Column()+1, strings.TrimSuffix(e.Message, " (in container '')"))
		if strings.Contains(e.Message, "undeclared reference") {
			text += "; what there is: " + strings.Join(names(), ", ")
		}
		texts = append(texts, text)
	}
	return errors.New(strings.Join(texts, "; "))
}

func names() []string {
	var list []string
	for _, v := range variables() {
		list = append(list, v.Name)
	}
	slices.Sort(list)
	return list
}

// Match says whether a message goes through. A nil filter lets everything
// through, and so does what cannot be evaluated: a division by zero, an index
// beyond a list, an expression that costs too much.
func (f *Filter) Match(e Event) bool {
	if f == nil {
		return true
	}
	match, err := f.Evaluate(e)
	return match || err != nil
}

// Evaluate is Match for people: it tells why an expression could not be
// evaluated.
func (f *Filter) Evaluate(e Event) (bool, error) {
	if e.Attributes == nil {
		e.Attributes = &message.Attributes{}
	}
	value, _, err := f.program.Eval(attributes{event: &e, byName: f.language.byName})
	if err != nil {
		return false, err
	}
	return value == types.True, nil
}

// attributes hands CEL only what an expression asks for.
type attributes struct {
	event  *Event
	byName map[string]func(*Event) any
}

// ResolveName implements [cel.Activation].
func (a attributes) ResolveName(name string) (any, bool) {
	value, ok := a.byName[name]
	if !ok {
		return nil, false
	}
	return value(a.event), true
}

// Parent implements [cel.Activation].
func (a attributes) Parent() cel.Activation { return nil }
