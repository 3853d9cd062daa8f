package domain

import "maps"

// RuleError is a business rule saying no. It is an answer rather than a
// failure: Code is for the caller's program and Message for the person. Each
// rule is declared once, as a package variable, and compared with errors.Is.
type RuleError struct {
	// Code is stable and in kebab case, for example "out-of-stock".
	Code string
	// Message is a sentence without the particulars of one case.
	Message string
	// Details are the particulars, by snake case name.
	Details map[string]any
	// Mistakes lists everything that is wrong with an input, all at once.
	Mistakes []Mistake
}

// Mistake is one thing that is wrong with an input.
type Mistake struct {
	// Pointer is a JSON pointer (RFC 6901) into the input: "/lines/0/quantity".
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// Rule declares a rule.
func Rule(code, message string) *RuleError {
	return &RuleError{Code: code, Message: message}
}

// ErrKeyReused refuses a request whose Idempotency-Key stands for another one.
var ErrKeyReused = Rule("idempotency-key-reused", "the idempotency key was used for another request; send a new key with a new or corrected request")

// Error implements error.
func (e *RuleError) Error() string { return e.Message }

// Is reports whether target is the same rule, whatever the particulars.
func (e *RuleError) Is(target error) bool {
	t, ok := target.(*RuleError)
	return ok && t.Code == e.Code
}

// With returns the rule's refusal of one case with one more particular.
func (e *RuleError) With(name string, value any) *RuleError {
	c := *e
	c.Details = maps.Clone(e.Details)
	if c.Details == nil {
		c.Details = map[string]any{}
	}
	c.Details[name] = value
	return &c
}

// Because returns the rule's refusal of an input with everything wrong in it.
func (e *RuleError) Because(mistakes ...Mistake) *RuleError {
	c := *e
	c.Mistakes = mistakes
	return &c
}
