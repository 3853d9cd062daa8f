package sandbox

import "strings"

// methods are those that the gateway takes. What stands after a verb is what
// becomes of that call.
var methods = map[string]bool{
	"sandbox:approved": true, "sandbox:declined": true, "sandbox:timeout": true, "sandbox:error": true,
	"sandbox:timeout-declined": true, "sandbox:callback-first": true, "sandbox:action": true,
	"sandbox:capture-timeout": true, "sandbox:capture-error": true, "sandbox:capture-declined": true,
	"sandbox:refund-timeout": true, "sandbox:refund-error": true, "sandbox:refund-declined": true,
	"sandbox:void-timeout": true, "sandbox:void-error": true, "sandbox:void-declined": true,
}

// behaviour is what becomes of a capture, refund or void: "timeout", "error",
// "declined", or nothing in particular.
func behaviour(method, verb string) string {
	how, _ := strings.CutPrefix(method, "sandbox:"+verb+"-")
	if how == method {
		return ""
	}
	return how
}

// late reports whether an authorisation answers too late.
func late(method string) bool {
	return method == "sandbox:timeout" || method == "sandbox:timeout-declined"
}

// comesFirst reports whether an authorisation is told before it is answered.
func comesFirst(method string) bool { return method == "sandbox:callback-first" }
