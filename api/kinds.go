package api

import (
	"net/http"
	"time"
)

// kind is a type of problem: what is the same in every answer of it.
type kind struct {
	slug   string
	status int
	title  string
	about  string        // what it means and what to do, for its page
	retry  time.Duration // after which the same request may succeed; 0 is never
}

// The kinds that this package answers by itself. Those of the domain are found
// by the code of a rule.
const (
	kindInternal     = "internal-error"
	kindUnreadable   = "history-unreadable"
	kindUnavailable  = "unavailable"
	kindGatewayAway  = "gateway-unavailable"
	kindConflict     = "conflict"
	kindUnauthorized = "unauthorized"
	kindForbidden    = "forbidden"
	kindNotFound     = "not-found"
	kindMethod       = "method-not-allowed"
	kindMalformed    = "malformed-request"
	kindInvalid      = "invalid-request"
	kindMediaType    = "unsupported-media-type"
	kindTooLarge     = "body-too-large"
	kindTooSlow      = "body-too-slow"
	kindBadCursor    = "bad-cursor"
	kindKeyMissing   = "idempotency-key-missing"
	kindKeyInvalid   = "idempotency-key-invalid"
	kindRefused      = "refused"
	kindPrecondition = "precondition-required"
	kindErased       = "customer-erased"

	kindCaptureFailed = "capture-failed"
	kindBehind        = "not-yet-visible"
)

// kinds is every type of problem. A slug is for ever: programs compare it.
func kinds() []kind {
	return append(ownKinds(), ruleKinds()...)
}

func ownKinds() []kind {
	return []kind{
		{
			slug: kindInternal, status: http.StatusInternalServerError, title: "Internal error",
			about: "Something failed that is not your mistake. Quote trace_id when you report it.",
		},
		{
			slug: kindUnreadable, status: http.StatusInternalServerError, title: "History cannot be read",
			about: "What was asked for is in the log with an event that this version of the program cannot read: stream, revision and event_type say which one, and reason why. That is not your mistake, nothing was changed, and everything else goes on. " +
				"Whoever runs the platform starts the version that wrote the event (newer-schema, unknown-type), or has the code mended that reads it (damaged): the log says what is wrong with it, and nothing of it is lost.",
		},
		{
			slug: kindUnavailable, status: http.StatusServiceUnavailable, title: "Not available at the moment", retry: time.Second,
			about: "The event store cannot be reached or is too busy. Whether the request took effect is not known: send it again after Retry-After with the same Idempotency-Key, which makes that harmless.",
		},
		{
			slug: kindGatewayAway, status: http.StatusServiceUnavailable, title: "Payment gateway not available", retry: time.Second,
			about: "The payment gateway is known to be away, and was not asked: nothing was charged. Send the request again after Retry-After with the same Idempotency-Key; it goes on where it stopped.",
		},
		{
			slug: kindConflict, status: http.StatusConflict, title: "Changed by somebody else", retry: time.Second,
			about: "Others changed the same thing at the same moment and kept winning. Send the request again after Retry-After.",
		},
		{
			slug: kindUnauthorized, status: http.StatusUnauthorized, title: "API key missing or not valid",
			about: "Send Authorization: Bearer and an API key. A key that was revoked is not valid any more.",
		},
		{
			slug: kindForbidden, status: http.StatusForbidden, title: "API key lacks a scope",
			about: "The key is valid and may not do this. scopes lists what would do; ask for a key that has one of them.",
		},
		{
			slug: kindNotFound, status: http.StatusNotFound, title: "Not found",
			about: "There is nothing under this address. /docs lists every route.",
		},
		{
			slug: kindMethod, status: http.StatusMethodNotAllowed, title: "Method not allowed",
			about: "The address exists and takes other methods: the header Allow lists them.",
		},
		{
			slug: kindMalformed, status: http.StatusBadRequest, title: "Request cannot be read",
			about: "The body is missing or is not JSON.",
		},
		{
			slug: kindInvalid, status: http.StatusUnprocessableEntity, title: "Request is not valid",
			about: "The request can be read and does not fit the description in /docs. errors lists every mistake with its place.",
		},
		{
			slug: kindMediaType, status: http.StatusUnsupportedMediaType, title: "Media type not supported",
			about: "Send JSON, not compressed, with Content-Type: application/json.",
		},
		{
			slug: kindTooLarge, status: http.StatusRequestEntityTooLarge, title: "Body too large",
			about: "limit is the largest body in bytes.",
		},
		{
			slug: kindTooSlow, status: http.StatusRequestTimeout, title: "Body came too slowly",
			about: "The body did not arrive in time. Nothing was done; send it again.",
		},
		{
			slug: kindBadCursor, status: http.StatusBadRequest, title: "Cursor not valid",
			about: "A cursor is good for the list and the filters it came from. Begin again without one.",
		},
		{
			slug: kindKeyMissing, status: http.StatusBadRequest, title: "Idempotency-Key missing",
			about: "This request needs a header Idempotency-Key, so that it can be repeated without doing anything twice. Any text of your own that is unique for the intent will do, a UUID for example.",
		},
		{
			slug: kindKeyInvalid, status: http.StatusBadRequest, title: "Idempotency-Key not valid",
			about: "An Idempotency-Key has 1 to 255 printable ASCII characters.",
		},
		{
			slug: kindPrecondition, status: http.StatusPreconditionRequired, title: "If-Match missing",
			about: "A change of something that exists is decided on what it was: send the header If-Match with the entity tag (ETag) it had, or * to change it whatever it is now.",
		},
		{
			slug: kindCaptureFailed, status: http.StatusPaymentRequired, title: "Money not captured",
			about: "The gateway was asked and did not take the money: code is its reason. Another attempt needs another Idempotency-Key.",
		},
		{
			slug: kindBehind, status: http.StatusConflict, title: "Not visible yet", retry: time.Second,
			about: "What is asked for has not come as far as min_position or Min-Revision wants: it will in a moment, unless nothing was ever written there. position or revision says how far it is.",
		},
		{
			slug: kindErased, status: http.StatusConflict, title: "Customer erased",
			about: "The customer's personal data was erased for good, and nothing can be added to it.",
		},
		{
			slug: kindRefused, status: http.StatusUnprocessableEntity, title: "Refused",
			about: "A rule refused the request. rule is its stable code.",
		},
	}
}
