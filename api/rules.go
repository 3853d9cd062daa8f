package api

import (
	"net/http"
	"time"
)

// ruleKinds are the types of problem that a rule of the domain makes: the slug
// is the rule's code.
func ruleKinds() []kind {
	return []kind{
		{
			slug: "signing-key-overlap", status: http.StatusUnprocessableEntity, title: "Overlap of signing keys not possible",
			about: "Two signing keys sign side by side for 0 seconds to 90 days: send an overlap_seconds from 0 to 7776000.",
		},
		{
			slug: "dead-letter-not-found", status: http.StatusNotFound, title: "No such dead letter",
			about: "The handler has put aside no event under this number: GET /admin/dead-letters lists what there is.",
		},
		{
			slug: "dead-letter-closed", status: http.StatusConflict, title: "Dead letter closed",
			about: "The event was handled or discarded already; what was decided stays on record.",
		},
		{
			slug: "dead-letter-retrying", status: http.StatusConflict, title: "Dead letter being retried",
			about: "A retry was asked for and has not ended. Whoever runs the handler carries it out; look at it again in a moment.",
		},
		{
			slug: "dead-letter-invalid", status: http.StatusUnprocessableEntity, title: "Decision not valid",
			about: "A reason is a word of small letters, digits, - and _, and an edited copy a JSON object that can be read as the event's type. errors says what is wrong.",
		},
		{
			slug: "rebuild-in-progress", status: http.StatusConflict, title: "Rebuild in progress",
			about: "The read model is being built anew already: GET …/rebuild shows how far it is. Wait for its end, or cancel it.",
		},
		{
			slug: "rebuild-not-found", status: http.StatusNotFound, title: "No such rebuild",
			about: "The read model was never built anew with this version of the program, or the last rebuild is over and cannot be changed.",
		},
		{
			slug: "version-not-kept", status: http.StatusConflict, title: "No earlier version",
			about: "No version that was live before is kept. One is kept for a day after a swap.",
		},
		{
			slug: "stream-not-blocked", status: http.StatusNotFound, title: "Stream not blocked",
			about: "The read model has no such blocked stream: GET …/blocked lists them. It may have gone on by itself.",
		},
		{
			slug: "blocked-at-other-event", status: http.StatusConflict, title: "Blocked at another event",
			about: "The stream is blocked at the event that revision names. Look at it with GET …/blocked and decide about that one.",
		},
		{
			slug: "repair-invalid", status: http.StatusUnprocessableEntity, title: "Repair not valid",
			about: "A repair has a reason, and an edited copy is a JSON object that can be read as the event's type. errors says what is wrong.",
		},
		{
			slug: "event-type-not-found", status: http.StatusNotFound, title: "No such event type",
			about: "GET /v1/event-types lists those there are.",
		},
		{
			slug: "aggregate-not-found", status: http.StatusNotFound, title: "Nothing of that id",
			about: "There is nothing of that id, or nothing of it is for you. id and type are those of a message's aggregate.",
		},
		{
			slug: "message-not-found", status: http.StatusNotFound, title: "No such message",
			about: "There is no such message, or it is not for you. type, aggregate and sequence must be those of the message, as in the href of its thin form.",
		},
		{
			slug: "message-unreadable", status: http.StatusInternalServerError, title: "Message cannot be made",
			about: "The event is in the log, and this version of the program cannot read it. That is not your mistake: whoever runs the platform has been told, and the message is there when it is mended. Later messages are not affected.",
		},
		{
			slug: "cart-invalid", status: http.StatusUnprocessableEntity, title: "Cart not valid",
			about: "errors lists every mistake of the cart with its place. The answer is kept under the Idempotency-Key: the corrected cart needs a new one.",
		},
		{
			slug: "price-changed", status: http.StatusConflict, title: "Price changed",
			about: "A price that was sent is no longer the price. errors lists each; show the shopper the new prices and order again with a new key.",
		},
		{
			slug: "out-of-stock", status: http.StatusConflict, title: "Out of stock",
			about: "There are fewer units left than were ordered: sku, requested and available say of what. Nothing was reserved or paid.",
		},
		{
			slug: "stock-lost", status: http.StatusConflict, title: "Stock lost",
			about: "The payment took longer than the goods could be kept, and somebody else has them. The payment was given back.",
		},
		{
			slug: "payment-declined", status: http.StatusPaymentRequired, title: "Payment declined",
			about: "The payment was declined: decline_code says why. Of a checkout, nothing was ordered: until retry_until the goods are kept, and another payment may be tried at POST /v1/checkouts/{checkout_id}/payments. An order stays as it is, and another payment needs a new Idempotency-Key.",
		},
		{
			slug: "too-many-payments", status: http.StatusConflict, title: "Too many payments tried",
			about: "So many payments were declined that no more are tried. After that of a checkout, order again with a new key; for an order, try again at retry_at.",
		},
		{
			slug: "payment-pending", status: http.StatusConflict, title: "Payment under way",
			about: "The outcome of another payment of the order, payment_id, is not known yet. Wait until it is: GET /v1/payments/{payment_id} tells.",
		},
		{
			slug: "nothing-to-pay", status: http.StatusConflict, title: "Nothing to pay",
			about: "What the order costs is captured, or held and good for long enough: the platform renews it by itself.",
		},
		{
			slug: "gateway-not-found", status: http.StatusNotFound, title: "No such payment gateway",
			about: "No payment gateway with this name is on.",
		},
		{
			slug: "callback-signature-invalid", status: http.StatusUnauthorized, title: "Callback not signed",
			about: "The callback is not signed by the payment gateway with the secret of the settings, or its signature is too old.",
		},
		{
			slug: "callback-unreadable", status: http.StatusBadRequest, title: "Callback cannot be read",
			about: "The callback is signed by the payment gateway and is not one that is understood.",
		},
		{
			slug: "callback-not-received", status: http.StatusNotFound, title: "No such callback",
			about: "No callback with this id was received.",
		},
		{
			slug: "payment-unresolved", status: http.StatusConflict, title: "Payment not resolved",
			about: "The payment's outcome could not be found out. It was given back if there was one, and nothing was ordered.",
		},
		{
			slug: "payment-invalid", status: http.StatusUnprocessableEntity, title: "Payment not valid",
			about: "A payment is of a positive amount of a known currency, or of nothing.",
		},
		{
			slug: "in-progress", status: http.StatusConflict, title: "Still in progress", retry: time.Second,
			about: "The first request is still being worked on. Send it again after Retry-After, with the same key, to get its answer.",
		},
		{
			slug: "checkout-not-found", status: http.StatusNotFound, title: "No such checkout",
			about: "No checkout has this id.",
		},
		{
			slug: "checkout-abandoned", status: http.StatusConflict, title: "Checkout abandoned",
			about: "The checkout was interrupted before it came to an order. Nothing is held. Order again with a new key.",
		},
		{
			slug: "idempotency-key-reused", status: http.StatusUnprocessableEntity, title: "Idempotency-Key used for something else",
			about: "The same key was sent before with another body. A new intent needs a new key.",
		},
		{
			slug: "revision-mismatch", status: http.StatusPreconditionFailed, title: "Changed since it was read",
			about: "It is not at the revision that was expected. Read it again, and decide again.",
		},
		{
			slug: "revision-unknown", status: http.StatusNotFound, title: "No such revision yet",
			about: "The order has not come that far: revision is its last one.",
		},
		{
			slug: "invalid-transition", status: http.StatusConflict, title: "Not possible in this state",
			about: "state says where it is; what was asked for is not possible there.",
		},
		{
			slug: "order-invalid", status: http.StatusUnprocessableEntity, title: "Change of an order not valid",
			about: "errors lists everything that is wrong with it.",
		},
		{
			slug: "reference-unknown", status: http.StatusNotFound, title: "The order has no such thing",
			about: "The order has no line, shipment, return, refund or capture with this id.",
		},
		{
			slug: "export-invalid", status: http.StatusUnprocessableEntity, title: "Export not valid",
			about: "The export cannot be made like this: parameter says what of it.",
		},
		{
			slug: "export-not-ready", status: http.StatusConflict, title: "Export not over", retry: time.Second,
			about: "The file is there once the job has succeeded: status says where it stands. One that failed or was cancelled has none.",
		},
		{
			slug: "export-gone", status: http.StatusGone, title: "File not kept any more",
			about: "The file of an export is kept for a day. Ask for another export.",
		},
		{
			slug: "shipment-unknown", status: http.StatusNotFound, title: "The order has no such shipment",
			about: "The order has no shipment with this id, or had none at the revision asked for.",
		},
		{
			slug: "order-on-hold", status: http.StatusConflict, title: "Order on hold",
			about: "An order on hold is neither shipped nor captured. Release it first.",
		},
		{
			slug: "quantity-exceeded", status: http.StatusUnprocessableEntity, title: "Not that many units",
			about: "More units than were ordered cannot be shipped, and more than were shipped cannot come back.",
		},
		{
			slug: "amount-exceeds-authorised", status: http.StatusUnprocessableEntity, title: "More than is authorised",
			about: "What is captured, and about to be, cannot be more than what was authorised, nor than the order costs.",
		},
		{
			slug: "amount-exceeds-captured", status: http.StatusUnprocessableEntity, title: "More than is captured",
			about: "What is given back, and about to be, cannot be more than what was captured.",
		},
		{
			slug: "address-handed-over", status: http.StatusConflict, title: "Address handed over",
			about: "A warehouse was asked for units that have not left yet, and knows where they go. request_ids names what it was asked for. Change the address when the parcel has left, for what remains, or cancel the order.",
		},
		{
			slug: "order-still-open", status: http.StatusConflict, title: "Order still open",
			about: "A return or a refund of the order is not finished.",
		},
		{
			slug: "task-invalid", status: http.StatusUnprocessableEntity, title: "Command to a task not valid",
			about: "errors lists everything that is wrong with it.",
		},
		{
			slug: "task-closed", status: http.StatusConflict, title: "Task closed",
			about: "The task is done, or was given up before. There is nothing to retry or to give up.",
		},
		{
			slug: "totals-mismatch", status: http.StatusUnprocessableEntity, title: "Amounts do not add up",
			about: "The amounts of the lines are not the totals.",
		},
		{
			slug: "credit-note-invalid", status: http.StatusUnprocessableEntity, title: "Credit note not valid",
			about: "errors lists everything that is wrong with the credit note.",
		},
		{
			slug: "stock-invalid", status: http.StatusUnprocessableEntity, title: "Stock command not valid",
			about: "errors lists everything that is wrong with it.",
		},
		{
			slug: "reservation-conflict", status: http.StatusConflict, title: "Reservation exists",
			about: "A reservation with this id exists and is of other units.",
		},
		{
			slug: "reservation-expired", status: http.StatusConflict, title: "Reservation expired",
			about: "The reservation expired and its units are gone.",
		},
		{
			slug: "product-invalid", status: http.StatusUnprocessableEntity, title: "Product not valid",
			about: "errors lists everything that is wrong with the product.",
		},
		{
			slug: "product-exists", status: http.StatusConflict, title: "SKU taken by another product",
			about: "A product is registered under this SKU with other content. Registering the same content again would be harmless.",
		},
		{
			slug: "unknown-sku", status: http.StatusNotFound, title: "Unknown SKU",
			about: "No product is registered under this SKU.",
		},
		{
			slug: "currency-mismatch", status: http.StatusUnprocessableEntity, title: "Different currencies",
			about: "Everything in one order or credit note is in one currency.",
		},
		{
			slug: "amount-overflow", status: http.StatusUnprocessableEntity, title: "Amount too large",
			about: "A sum is larger than 9,223,372,036,854,775,807 minor units.",
		},
		{
			slug: "api-key-invalid", status: http.StatusUnprocessableEntity, title: "API key not valid",
			about: "errors lists everything that is wrong with the key as it was described.",
		},
		{
			slug: "api-key-not-found", status: http.StatusNotFound, title: "No such API key",
			about: "No API key has this id.",
		},
		{
			slug: "partner-invalid", status: http.StatusUnprocessableEntity, title: "Partner not valid",
			about: "errors lists everything that is wrong with the partner as it was described.",
		},
		{
			slug: "partner-not-found", status: http.StatusNotFound, title: "No such partner",
			about: "No partner has this id.",
		},
		{
			slug: "id-reused", status: http.StatusConflict, title: "Id used for something else",
			about: "The id was used before, with other content. Repeating the same content would be harmless.",
		},
		{
			slug: "job-not-found", status: http.StatusNotFound, title: "No such job",
			about: "No job has this id, or another API key started it.",
		},
		{
			slug: "job-finished", status: http.StatusConflict, title: "Job is over",
			about: "The job has succeeded or failed: it cannot be changed any more.",
		},
		{
			slug: "job-cancelled", status: http.StatusConflict, title: "Job cancelled",
			about: "Somebody asked for the job to be given up.",
		},
		{
			slug: "job-not-cancellable", status: http.StatusConflict, title: "Job cannot be cancelled",
			about: "Jobs of this kind are finished once they were begun.",
		},
		{
			slug: "customer-not-found", status: http.StatusNotFound, title: "No such customer",
			about: "Nobody with this id ever ordered or registered, or there is no such export.",
		},
		{
			slug: "order-of-customer", status: http.StatusConflict, title: "Order of a customer",
			about: "The personal data of an order is its customer's, and is erased with all of the customer's: POST /v1/customers/{customer_id}/erase.",
		},
		{
			slug: "customer-erasing", status: http.StatusConflict, title: "Customer being erased", retry: 10 * time.Second,
			about: "The customer's personal data is about to be erased, and nothing can be added to it. Send the request again after Retry-After: if it is then erased, the person is a new customer.",
		},
		{
			slug: "open-orders", status: http.StatusConflict, title: "Orders not over",
			about: "A customer's data cannot be erased while goods or money are under way: order_ids and checkout_ids say which. An order is over when it is completed, or cancelled before anything was shipped; what was shipped before the rest was cancelled has to arrive, and then may come back for as long as it takes to complete an order.",
		},
		{
			slug: "erasure-not-begun", status: http.StatusConflict, title: "Erasure not begun",
			about: "The customer's data is not being erased.",
		},
		{
			slug: "draft-not-found", status: http.StatusNotFound, title: "No such draft",
			about: "No draft has this id.",
		},
		{
			slug: "draft-invalid", status: http.StatusUnprocessableEntity, title: "Draft not valid",
			about: "errors lists everything that is wrong with the draft as it was described, or what it needs before it is placed.",
		},
		{
			slug: "draft-placing", status: http.StatusConflict, title: "Draft being placed",
			about: "An order may still come of the checkout that checkout_id names: until it is over the draft is not changed. After a declined payment it is over when the goods are no longer kept.",
		},
		{
			slug: "draft-placed", status: http.StatusConflict, title: "Draft placed",
			about: "The draft came to the order that order_id names. Change that.",
		},
		{
			slug: "draft-discarded", status: http.StatusConflict, title: "Draft discarded",
			about: "The draft was thrown away. Begin another one.",
		},
		{
			slug: "endpoint-not-found", status: http.StatusNotFound, title: "No such endpoint",
			about: "No webhook endpoint has this id, or it was deleted.",
		},
		{
			slug: "endpoint-deleted", status: http.StatusConflict, title: "Endpoint deleted",
			about: "The endpoint that this request made was deleted. Another one needs another Idempotency-Key.",
		},
		{
			slug: "invalid-endpoint", status: http.StatusUnprocessableEntity, title: "Endpoint not valid",
			about: "errors lists everything that is wrong with the endpoint as it was described.",
		},
		{
			slug: "invalid-preview", status: http.StatusUnprocessableEntity, title: "Preview not valid",
			about: "errors lists everything that is wrong with the event types and the filter that were to be tried.",
		},
		{
			slug: "replay-not-found", status: http.StatusNotFound, title: "No such replay",
			about: "The endpoint has no replay of this id.",
		},
		{
			slug: "invalid-replay", status: http.StatusUnprocessableEntity, title: "Replay not valid",
			about: "errors lists everything that is wrong with the replay as it was described.",
		},
		{
			slug: "too-many-replays", status: http.StatusConflict, title: "Too many replays",
			about: "As many replays of the endpoint are running as may at once. Wait until one is done, or cancel one.",
		},
		{
			slug: "endpoint-disabled", status: http.StatusConflict, title: "Endpoint disabled",
			about: "The endpoint is disabled and takes no messages. Enable it first.",
		},
		{
			slug: "endpoint-paused", status: http.StatusConflict, title: "Endpoint paused",
			about: "The endpoint is paused by its owner and takes no messages. Resume it first.",
		},
		{
			slug: "endpoint-unverified", status: http.StatusConflict, title: "Endpoint not verified",
			about: "The endpoint gets nothing until it has taken endpoint.ping and refused one with a wrong signature. verification of GET /v1/endpoints/{id} says how it stands, POST /v1/endpoints/{id}/verify asks it again.",
		},
		{
			slug: "endpoint-active", status: http.StatusConflict, title: "Endpoint at work",
			about: "Deliveries are going on, and cannot be told to go on elsewhere. Pause the endpoint first.",
		},
		{
			slug: "overlap-invalid", status: http.StatusUnprocessableEntity, title: "Overlap not valid",
			about: "An old secret signs beside the new one for 0 seconds to seven days.",
		},
		{
			slug: "too-many-endpoints", status: http.StatusConflict, title: "Too many endpoints",
			about: "There are as many endpoints as there may be: most says how many. Delete one that is not needed.",
		},
		{
			slug: "too-many-endpoints-at-host", status: http.StatusConflict, title: "Too many endpoints at one host",
			about: "There are as many endpoints at this host as there may be: most says how many. Delete one, or ask for several event types at one endpoint.",
		},
		{
			slug: "too-many-requests", status: http.StatusTooManyRequests, title: "Too many requests", retry: 10 * time.Second,
			about: "This was asked for more often than it may be in a minute: most says how often. Send it again after Retry-After.",
		},
		{
			slug: "secret-ended", status: http.StatusConflict, title: "Secret ended",
			about: "This request was carried out before, and the secret that it made signs no more: nothing of it is kept that could be shown again. Another secret needs another Idempotency-Key.",
		},
		{
			slug: "too-many-at-once", status: http.StatusTooManyRequests, title: "Too many at once", retry: 2 * time.Second,
			about: "As much of this is under way for you as there may be at once: most says how much. Wait until some of it has ended, and send it again after Retry-After.",
		},
		{
			slug: "delivery-not-found", status: http.StatusNotFound, title: "No such delivery",
			about: "No message with this id was sent to the endpoint, or waits for it, as far as attempts are kept.",
		},
		{
			slug: "from-invalid", status: http.StatusUnprocessableEntity, title: "Place in the log not valid",
			about: "from is a cursor of a message, a time (RFC 3339), now, or beginning.",
		},
		{
			slug: "too-many-secrets", status: http.StatusConflict, title: "Too many secrets",
			about: "Five secrets of the endpoint sign already. Wait until one of them ends, or end them all at once with an overlap of 0.",
		},
	}
}
