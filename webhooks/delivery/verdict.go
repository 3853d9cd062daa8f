package delivery

import (
	"net/http"
	"time"
)

// Class says in one word how an attempt ended. Partners get to see it: it
// tells what failed and nothing about our network.
type Class string

// How an attempt may end.
const (
	ClassOK          Class = "ok"
	ClassRedirect    Class = "redirect"     // 3xx, never followed
	ClassClientError Class = "client_error" // 4xx: often a mistake in a deployment, so it is retried
	ClassRateLimited Class = "rate_limited" // 429
	ClassGone        Class = "gone"         // 410
	ClassServerError Class = "http_5xx"
	ClassOtherStatus Class = "http_other"
	ClassDNS         Class = "dns"
	ClassConnect     Class = "connect"
	ClassTLS         Class = "tls"
	ClassTimeout     Class = "timeout"
	ClassReset       Class = "reset"
	ClassBlocked     Class = "blocked"   // by the guard
	ClassToken       Class = "token"     // the receiver's token server gave no OAuth 2.0 token
	ClassForgery     Class = "forgery"   // the receiver took a ping with a wrong signature
	ClassMessage     Class = "message"   // our side could not make the message
	ClassWithdrawn   Class = "withdrawn" // it is not for the partner any more
)

// Classes are all of them.
func Classes() []Class {
	return []Class{
		ClassOK, ClassRedirect, ClassClientError, ClassRateLimited, ClassGone, ClassServerError, ClassOtherStatus, ClassDNS,
		ClassConnect, ClassTLS, ClassTimeout, ClassReset, ClassBlocked, ClassToken, ClassForgery, ClassMessage, ClassWithdrawn,
	}
}

// Answer is how an attempt ended.
type Answer struct {
	// Status is the HTTP status, or 0 when none was received.
	Status int
	// Class is what failed when there is no status.
	Class Class
	// RetryAfter is what the receiver asked for, or 0.
	RetryAfter time.Duration
	// Directive is the webhook-delivery header of a failed answer.
	Directive string
}

// What a receiver may ask for in the webhook-delivery header.
const (
	DirectiveDisable = "disable"
	DirectiveAbort   = "abort-message"
)

// Verdict is what follows from an answer.
type Verdict int

// What may follow from an answer.
const (
	Delivered Verdict = iota
	Retry             // this lane waits
	Limited           // the whole endpoint waits
	Abort             // this event is given up
	Disable           // the endpoint does not want anything any more
)

// Judge returns what follows from an answer, and its class.
func Judge(a Answer) (Verdict, Class) {
	class := a.Class
	if a.Status != 0 {
		class = classOf(a.Status)
	}
	switch {
	case class == ClassOK:
		return Delivered, class
	case class == ClassGone, a.Directive == DirectiveDisable:
		return Disable, class
	case a.Directive == DirectiveAbort:
		return Abort, class
	case a.RetryAfter > 0 && (a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable):
		return Limited, class
	}
	return Retry, class
}

func classOf(status int) Class {
	switch {
	case status >= 200 && status <= 299:
		return ClassOK
	case status == http.StatusGone:
		return ClassGone
	case status == http.StatusTooManyRequests:
		return ClassRateLimited
	case status >= 300 && status <= 399:
		return ClassRedirect
	case status >= 400 && status <= 499:
		return ClassClientError
	case status >= 500 && status <= 599:
		return ClassServerError
	}
	return ClassOtherStatus
}

// unsent says that nothing was sent: it says nothing of the receiver.
func (c Class) unsent() bool { return c == ClassMessage || c == ClassWithdrawn }

// unreachable says that the receiver's program was not reached at all, so the
// event cannot be what is wrong.
func (c Class) unreachable() bool {
	return c == ClassDNS || c == ClassConnect || c == ClassTLS || c == ClassBlocked || c == ClassToken
}
