package filter

import (
	"errors"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

var errNested = errors.New("a list or a map holds texts, numbers and truths only: no lists, no maps, and not several kinds at once")

// checkNested lets nothing be put into lists and maps that has parts itself.
// CEL reckons a comparison of two lists by their lengths, and the same list may
// stand in another one twice, that one in the next, and so on: comparing what
// sixty such steps make would never end, and nothing could stop it.
func checkNested(checked *cel.Ast) error {
	var err error
	known := checked.NativeRep().TypeMap()
	visit := func(e ast.Expr) {
		empty := e.Kind() == ast.ListKind && e.AsList().Size() == 0
		if e.Kind() == ast.StructKind || (!empty && nested(known[e.ID()])) {
			err = errNested
		}
	}
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(visit))
	return err
}

func nested(t *types.Type) bool {
	if t == nil || (t.Kind() != types.ListKind && t.Kind() != types.MapKind) {
		return false
	}
	for _, part := range t.Parameters() {
		switch part.Kind() {
		case types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind, types.StringKind, types.BytesKind, types.DurationKind, types.TimestampKind:
		default:
			return true
		}
	}
	return false
}
