package filter

import (
	"errors"
	"fmt"
	"regexp/syntax"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// What a regular expression may be. CEL reckons with the length of its text,
// but a short one may be a large program: (.?){999} is tried at a thousand
// places for each letter.
const (
	longestPattern = 256 // bytes
	largestPattern = 500 // instructions
)

var errPattern = errors.New(`matches needs a regular expression that stands there as it is: type.matches("^order\\.")`)

// checkPatterns looks at every regular expression of an expression. One that is
// put together at run time would have to be compiled for each message.
func checkPatterns(checked *cel.Ast) error {
	var errs []error
	visit := func(e ast.Expr) {
		if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "matches" {
			return
		}
		args := e.AsCall().Args()
		pattern := args[len(args)-1]
		if pattern.Kind() != ast.LiteralKind {
			errs = append(errs, errPattern)
			return
		}
		if text, ok := pattern.AsLiteral().(types.String); ok {
			errs = append(errs, checkPattern(string(text)))
		}
	}
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(visit))
	return errors.Join(errs...)
}

func checkPattern(text string) error {
	if len(text) > longestPattern {
		return fmt.Errorf("a regular expression has %d bytes, %d are the most", len(text), longestPattern)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return fmt.Errorf("the regular expression %q cannot be read: %w", text, err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return fmt.Errorf("the regular expression %q cannot be used: %w", text, err)
	}
	if len(program.Inst) > largestPattern {
		return fmt.Errorf("the regular expression %q is too much work: repeat less in it", text)
	}
	return nil
}
